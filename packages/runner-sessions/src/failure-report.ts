import { type Connect, type Logger, type Transport, withTimeout } from "@pipecat-ts/runner-core";

/** How long a session whose bot failed waits for its caller to connect, in ms. */
const connectionMs = 3_000;
/** How long it then waits until the caller was told, in ms. A client of another protocol never becomes ready for the message. */
const reportMs = 500;

/** Tells the caller of a session why its bot failed. Resolves when the message is sent. */
export type ReportFailure = (transport: Transport, error: unknown) => Promise<void>;

/** The report of one session. */
export interface FailureReport {
  /** The caller is connected. */
  connected(): void;
  /** The bot's transport is built, on a port that sends messages, or not. */
  transportBuilt(transport: Transport, sendsMessages: boolean): void;
  /**
   * Sends the report once, on the bot's transport, or on one that `connect` builds if the bot has none. Resolves, and never rejects, when it
   * is sent or cannot be sent, after 3 s without a connection, 500 ms after it, or when the session's signal aborts.
   */
  send(error: unknown, connect: Connect): Promise<void>;
}

export function createFailureReport(report: ReportFailure, signal: AbortSignal, logger: Logger): FailureReport {
  const { promise: connection, resolve: connected } = Promise.withResolvers<void>();
  let transport: Transport | undefined;
  let sendsMessages = true;
  let sending: Promise<void> | undefined;

  async function sendNow(error: unknown, connect: Connect, aborted: Promise<void>): Promise<void> {
    // The transport may be what connects the caller: in a room, nobody meets a bot that has not joined.
    const target = transport ?? (await connect({}));
    if (!sendsMessages) return;
    const isConnected = await withTimeout(Promise.race([connection, aborted]), connectionMs);
    if (isConnected && !signal.aborted) await withTimeout(Promise.race([report(target, error), aborted]), reportMs);
  }

  async function sendUntilAborted(error: unknown, connect: Connect): Promise<void> {
    if (signal.aborted) return;
    const { promise: aborted, resolve: stop } = Promise.withResolvers<void>();
    const onAbort = () => stop();
    signal.addEventListener("abort", onAbort, { once: true });
    const sent = sendNow(error, connect, aborted).catch((err: unknown) => {
      logger.debug({ err }, "caller not told of failure");
    });
    // Joining a room may take longer than both.
    await withTimeout(Promise.race([sent, aborted]), connectionMs + reportMs);
    signal.removeEventListener("abort", onAbort);
  }

  return {
    connected,
    transportBuilt(built, sends) {
      transport = built;
      sendsMessages = sends;
    },
    send(error, connect) {
      sending ??= sendUntilAborted(error, connect);
      return sending;
    },
  };
}
