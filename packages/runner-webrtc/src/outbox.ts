import { type Clock, isRunnerError, RunnerError } from "@pipecat-ts/runner-core";

/** The data channel that messages are sent on. */
export interface OutboxChannel {
  /** Whether the caller's data channel is open. */
  readonly open: boolean;
  /** Bytes in its send buffer. */
  readonly bufferedBytes: number;
  /** The largest message that the caller accepts, in bytes; infinite while that is not known. */
  readonly maxMessageBytes: number;
  /** The number of packets received on the peer of the channel. */
  readonly packetsReceived: number;
  /** Throws when the message cannot be sent. */
  sendText(text: string): void;
}

/** Sends the bot's messages on the caller's data channel, in order. Queues them while it is not open, or full. */
export interface Outbox {
  /**
   * Resolves when the channel has taken the message. Rejects with MESSAGE_TOO_LARGE, with CALLER_NOT_READING when too many are
   * queued, with MESSAGES_UNSUPPORTED when the caller has no data channel, and with CALL_ENDED.
   */
  send(message: unknown): Promise<void>;
  /** The channel opened: sends the queue. */
  opened(): void;
  /**
   * Another peer replaced the one of the channel. Messages sent after the last packet from the caller were probably lost: they
   * are sent again, before the queue. `packetsReceived` is that of the old peer.
   */
  replaced(packetsReceived: number): void;
  /** The caller has no data channel: rejects the queue and all further messages, unless a channel opens later. */
  unsupported(): void;
  /** The call is over. */
  close(): void;
}

/** The limit of the queue, as in Pipecat's own server. */
const queueLimit = 50;
/** While the channel has buffered, or may have lost, this many bytes, nothing is sent. */
const bufferedLimit = 1024 * 1024;
const pollMs = 20;

interface QueuedMessage {
  readonly text: string;
  readonly byteLength: number;
  readonly resolve: () => void;
  readonly reject: (error: RunnerError) => void;
}

export function createOutbox(channel: OutboxChannel, clock: Clock): Outbox {
  let queue: QueuedMessage[] = [];
  /** Sent after the last packet from the caller, whose client acknowledges everything that arrives. */
  let unconfirmed: QueuedMessage[] = [];
  let unconfirmedBytes = 0;
  let packetsReceived = 0;
  let rejection: RunnerError | undefined;
  let closed = false;
  let cancelPoll: (() => void) | undefined;

  function drain(): void {
    cancelPoll?.();
    cancelPoll = undefined;
    if (channel.packetsReceived !== packetsReceived) confirm();
    while (channel.open && Math.max(channel.bufferedBytes, unconfirmedBytes) < bufferedLimit) {
      const next = queue.shift();
      if (next === undefined) return;
      deliver(next);
    }
    if (channel.open && queue.length > 0) cancelPoll = clock.after(pollMs, drain);
  }

  function deliver(message: QueuedMessage): void {
    const { text, byteLength, resolve, reject } = message;
    try {
      // The limit may have changed since the message was queued.
      if (byteLength > channel.maxMessageBytes) throw tooLarge(byteLength, channel.maxMessageBytes);
      channel.sendText(text);
      unconfirmed.push(message);
      unconfirmedBytes += byteLength;
      resolve();
    } catch (error) {
      reject(isRunnerError(error) ? error : ended(error));
    }
  }

  function confirm(): void {
    unconfirmed = [];
    unconfirmedBytes = 0;
    packetsReceived = channel.packetsReceived;
  }

  function rejectQueue(error: RunnerError): void {
    cancelPoll?.();
    const rejected = queue;
    queue = [];
    for (const { reject } of rejected) reject(error);
  }

  return {
    async send(message) {
      const text = JSON.stringify(message) ?? "null";
      const byteLength = Buffer.byteLength(text);
      if (byteLength > channel.maxMessageBytes) throw tooLarge(byteLength, channel.maxMessageBytes);
      if (closed) throw ended();
      if (rejection !== undefined) throw rejection;
      if (queue.length >= queueLimit) throw notReading();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      queue.push({ text, byteLength, resolve, reject });
      drain();
      await promise;
    },
    opened() {
      rejection = undefined;
      drain();
    },
    replaced(received) {
      if (received === packetsReceived) queue.unshift(...unconfirmed);
      confirm();
    },
    unsupported() {
      if (channel.open) return;
      rejection = new RunnerError("MESSAGES_UNSUPPORTED", "The caller has no data channel for messages.");
      rejectQueue(rejection);
    },
    close() {
      closed = true;
      rejectQueue(ended());
    },
  };
}

function tooLarge(byteLength: number, limit: number): RunnerError {
  return new RunnerError("MESSAGE_TOO_LARGE", `The message has ${byteLength} bytes; the caller accepts ${limit}.`, {
    fix: "Split it, or send a URL from which the caller can download it.",
  });
}

function notReading(): RunnerError {
  return new RunnerError("CALLER_NOT_READING", `${queueLimit} messages are queued for the caller's data channel.`, {
    fix: "Await each sendMessage before the next one, and send fewer.",
  });
}

function ended(cause?: unknown): RunnerError {
  return new RunnerError("CALL_ENDED", "The message was not sent: the call has ended.", { cause });
}
