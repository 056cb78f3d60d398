import type { EventEmitter } from "node:events";
import type * as rtc from "@livekit/rtc-node";

/** Private members of the SDK's rooms. */
interface RoomInternals {
  onFfiEvent?: (event: { readonly message?: { readonly case?: string } }) => void;
}

/**
 * Creates a room of the SDK that takes the events of rooms only. The SDK passes every event of the process to every room, which waits
 * for a lock first: with 20 bots, 40,000 times per second for audio frames alone.
 */
export function createSdkRoom(sdk: typeof rtc): rtc.Room {
  const room = new sdk.Room();
  const internals = room as unknown as RoomInternals;
  const { onFfiEvent } = internals;
  if (onFfiEvent) {
    internals.onFfiEvent = (event) => {
      const kind = event.message?.case;
      if (kind !== "audioStreamEvent" && kind !== "captureAudioFrame") onFfiEvent(event);
    };
  }
  return room;
}

/** Leaves a room of the SDK, and releases what the SDK keeps of it. Never rejects. */
export async function leaveRoom(room: rtc.Room): Promise<void> {
  await room.disconnect().catch(() => undefined); // The server may be gone.
  room.removeAllListeners();
  // `disconnect` leaves the listener of a room behind that the server has closed, and with it the room.
  const { onFfiEvent } = room as unknown as RoomInternals;
  const { _ffiClientInstance: events } = globalThis as { readonly _ffiClientInstance?: EventEmitter };
  if (onFfiEvent) events?.off("ffi_event", onFfiEvent);
}
