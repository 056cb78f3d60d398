import type { Call, CloseReason, Logger, MediaPort, Pacer, Transport, TransportParams } from "@pipecat-ts/runner-core";
import { createBufferedCall } from "./call.ts";
import type { MediaCounters } from "./counters.ts";
import { checkParams, createMedia, type Media, wireCloseMs } from "./media-transport.ts";
import { createPacer } from "./pacer.ts";

/** A call without a runner. */
export interface StandaloneOptions {
  /** The transport's name. */
  readonly name: string;
  readonly params?: TransportParams | undefined;
  readonly logger: Logger;
  /** The timer that several calls share. Default: one for this call. */
  readonly pacer?: Pacer | undefined;
}

/**
 * Builds a `Transport` without a runner, for example on a socket of your own. `connect` opens the wire, and reports through `call`
 * what the caller does. Call this function in the asynchronous scope of the bot. Rejects with OPTION_INVALID, or with the error of `connect`.
 */
export async function createStandaloneTransport(
  options: StandaloneOptions & { connect(call: Call): MediaPort | Promise<MediaPort> },
): Promise<Transport> {
  checkParams(options.name, options.params ?? {});
  const standalone = createStandaloneCall(options);
  return standalone.attach(await options.connect(standalone.call));
}

/** A call that ends itself when its caller leaves or its bot closes the transport: what the session engine does in a runner. */
export function createStandaloneCall({ name, params = {}, logger, pacer = createPacer() }: StandaloneOptions): {
  readonly call: Call;
  /** Builds the transport. Throws OPTION_INVALID. */
  attach(port: MediaPort): Transport & { readonly counters: MediaCounters };
} {
  const cutoff = new AbortController();
  let media: Media | undefined;
  let closeReason: CloseReason | undefined;

  function close(reason: CloseReason): void {
    if (reason !== "bot-finished") cutoff.abort();
    if (closeReason !== undefined) return;
    closeReason = reason;
    if (media) void closeMedia(media, reason);
  }

  async function closeMedia(opened: Media, reason: CloseReason): Promise<void> {
    if (reason === "bot-finished") await opened.playOut(cutoff.signal);
    const deadline = new AbortController();
    const cancel = pacer.clock.after(wireCloseMs, () => deadline.abort());
    await opened.close(reason, deadline.signal);
    cancel();
  }

  const buffered = createBufferedCall({ clock: pacer.clock, logger, onLeft: close });
  return {
    call: buffered.call,
    attach(port) {
      media = createMedia({ name, params, port, pacer, logger, onClose: close });
      buffered.attach(media.receiver);
      // The caller may leave while the wire is being opened.
      if (closeReason !== undefined) void closeMedia(media, closeReason);
      return media.transport;
    },
  };
}
