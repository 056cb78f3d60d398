import type { EventEmitter } from "node:events";

/** The listeners of the SDK's native part in this process. Each room and each request in progress has one. */
export function countSdkListeners(): number {
  const { _ffiClientInstance: events } = globalThis as { readonly _ffiClientInstance?: EventEmitter };
  return events?.listenerCount("ffi_event") ?? 0;
}
