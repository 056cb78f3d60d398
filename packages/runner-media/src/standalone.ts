import type { Call, CloseReason, Logger, MediaPort, Pacer, Transport, TransportParams } from "@pipecat-ts/runner-core";
import { createBufferedCall } from "./call.ts";
import { createMedia, type Media } from "./media-transport.ts";
import { createPacer } from "./pacer.ts";

export interface StandaloneOptions {
  /** The transport's name. */
  readonly name: string;
  readonly params?: TransportParams;
  readonly logger: Logger;
  /** The timer that several calls share. Default: one for this call. */
  readonly pacer?: Pacer;
  /** Opens the wire, and reports what the caller does through `call`. */
  open(call: Call): MediaPort;
}

/** How long a wire may take to close, in ms. */
const closeMs = 3_000;

/**
 * Builds a `Transport` without a runner, for example on a socket of your own. Call it in the asynchronous scope of the bot.
 * Throws OPTION_INVALID, or what `open` throws.
 */
export function createStandaloneTransport(
  options: StandaloneOptions,
): Transport & Pick<Media["transport"], "counters"> {
  const { name, params = {}, logger, pacer = createPacer() } = options;
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
    const cancel = pacer.clock.after(closeMs, () => deadline.abort());
    await opened.close(reason, deadline.signal);
    cancel();
  }

  const buffered = createBufferedCall(close);
  const port = options.open(buffered.call);
  media = createMedia({ name, params, port, pacer, logger, onClose: close });
  buffered.attach(media.receiver);
  // The caller may leave while the wire is being opened.
  if (closeReason !== undefined) void closeMedia(media, closeReason);
  return media.transport;
}
