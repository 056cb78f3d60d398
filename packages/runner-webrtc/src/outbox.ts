import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import type { Clock } from "@pipecat-ts/runner-media";

/** Where messages go. */
export interface OutboxChannel {
  /** Whether the caller's data channel is open. */
  readonly open: boolean;
  /** Bytes that wait in it. */
  readonly bufferedBytes: number;
  /** The largest message in bytes that the caller takes; no limit as long as that is not known. */
  readonly maxMessageBytes: number;
  /** How often something came from the caller over the peer that carries the channel. */
  readonly heard: number;
  /** Throws when the message cannot be sent. */
  sendText(text: string): void;
}

/** The bot's messages on their way to the caller's data channel, in order: kept while it is not open, or full. */
export interface Outbox {
  /**
   * Resolves when the channel has taken the message. Rejects with MESSAGE_TOO_LARGE, CALLER_NOT_READING when too many wait,
   * MESSAGES_UNSUPPORTED once the caller is known to have no data channel, CALL_ENDED.
   */
  send(message: unknown): Promise<void>;
  /** The channel opened: what waits is sent. */
  opened(): void;
  /**
   * Another peer is to carry the channel. What that before took since something last came from the caller found no network: it
   * is sent again, first. `heard` is how often something came over the peer before.
   */
  replaced(heard: number): void;
  /** The caller has no data channel: what waits is refused, and what follows. Until one opens all the same. */
  missing(): void;
  /** The call is over. */
  close(): void;
}

/** As many messages as wait for the channel: what Pipecat's own server keeps. */
const waitingLimit = 50;
/** While more waits in the channel itself, or may be lost, nothing is added to it. */
const bufferedLimit = 1024 * 1024;
const pollMs = 20;

interface Waiting {
  readonly text: string;
  readonly byteLength: number;
  readonly resolve: () => void;
  readonly reject: (error: RunnerError) => void;
}

export function createOutbox(channel: OutboxChannel, clock: Clock): Outbox {
  let waiting: Waiting[] = [];
  /** What the channel took since something came from the caller, who answers to all that arrives. */
  let unanswered: Waiting[] = [];
  let unansweredBytes = 0;
  let heard = 0;
  let refusal: RunnerError | undefined;
  let closed = false;
  let cancelPoll: (() => void) | undefined;

  function drain(): void {
    cancelPoll?.();
    cancelPoll = undefined;
    if (channel.heard !== heard) forget();
    while (channel.open && Math.max(channel.bufferedBytes, unansweredBytes) < bufferedLimit) {
      const next = waiting.shift();
      if (next === undefined) return;
      deliver(next);
    }
    if (channel.open && waiting.length > 0) cancelPoll = clock.after(pollMs, drain);
  }

  function deliver(message: Waiting): void {
    const { text, byteLength, resolve, reject } = message;
    try {
      // The peer may be another than the one there was, or was not, when it was written.
      if (byteLength > channel.maxMessageBytes) throw tooLarge(byteLength, channel.maxMessageBytes);
      channel.sendText(text);
      unanswered.push(message);
      unansweredBytes += byteLength;
      resolve();
    } catch (error) {
      reject(isRunnerError(error) ? error : ended(error));
    }
  }

  function forget(): void {
    unanswered = [];
    unansweredBytes = 0;
    heard = channel.heard;
  }

  function refuse(error: RunnerError): void {
    cancelPoll?.();
    const refused = waiting;
    waiting = [];
    for (const { reject } of refused) reject(error);
  }

  return {
    async send(message) {
      const text = JSON.stringify(message) ?? "null";
      const byteLength = Buffer.byteLength(text);
      if (byteLength > channel.maxMessageBytes) throw tooLarge(byteLength, channel.maxMessageBytes);
      if (closed) throw ended();
      if (refusal !== undefined) throw refusal;
      if (waiting.length >= waitingLimit) throw notReading();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ text, byteLength, resolve, reject });
      drain();
      await promise;
    },
    opened() {
      refusal = undefined;
      drain();
    },
    replaced(before) {
      if (before === heard) waiting.unshift(...unanswered);
      forget();
    },
    missing() {
      if (channel.open) return;
      refusal = new RunnerError(
        "MESSAGES_UNSUPPORTED",
        "The caller has opened no data channel, which carries messages.",
      );
      refuse(refusal);
    },
    close() {
      closed = true;
      refuse(ended());
    },
  };
}

function tooLarge(byteLength: number, limit: number): RunnerError {
  return new RunnerError("MESSAGE_TOO_LARGE", `The message has ${byteLength} bytes; the caller takes ${limit}.`, {
    fix: "Send it in parts, or send a URL where the caller can fetch it.",
  });
}

function notReading(): RunnerError {
  return new RunnerError("CALLER_NOT_READING", `${waitingLimit} messages wait for the caller's data channel.`, {
    fix: "Await each sendMessage before the next, and send less.",
  });
}

function ended(cause?: unknown): RunnerError {
  return new RunnerError("CALL_ENDED", "The message was not sent: the caller is gone.", { cause });
}
