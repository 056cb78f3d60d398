import type { Logger, Transport, TransportParams } from "@pipecat-ts/runner-core";
import type { Pacer } from "./pacer.ts";
import type { Caller, MediaPort } from "./port.ts";

/** What one call's transport is built from. */
export interface MediaTransportOptions {
  /** The transport's name. */
  readonly name: string;
  readonly params: TransportParams;
  readonly pacer: Pacer;
  readonly logger: Logger;
  /** Opens the wire. Told of the caller through `caller` from now on; may speak to it before it returns. */
  open(caller: Caller): MediaPort;
}

/** Builds the `Transport` of one call on its `MediaPort`. */
export function createMediaTransport(options: MediaTransportOptions): Transport {
  throw new Error(`not written yet: ${options.name}`);
}
