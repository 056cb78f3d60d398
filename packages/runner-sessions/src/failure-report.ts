import { type Logger, type Transport, withTimeout } from "@pipecat-ts/runner-core";

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
  /** The session's transport is built, on a port that sends messages, or not. */
  transportBuilt(sendsMessages: boolean): void;
  /**
   * Sends the report once, on the transport that `ensureTransport` resolves with. Resolves, and never rejects, when it is sent or cannot
   * be sent, after 3 s without a connection, 500 ms after it, or when the session's signal aborts.
   */
  send(error: unknown, ensureTransport: () => Promise<Transport>): Promise<void>;
}

export function createFailureReport(report: ReportFailure, signal: AbortSignal, logger: Logger): FailureReport {
  const { promise: connection, resolve: connected } = Promise.withResolvers<void>();
  let sendsMessages = true;
  let sending: Promise<void> | undefined;

  async function sendInTime(error: unknown, ensureTransport: () => Promise<Transport>): Promise<void> {
    if (signal.aborted) return;
    const over = new AbortController();
    const stop = () => over.abort();
    let timer = setTimeout(stop, connectionMs);

    async function sendNow(): Promise<void> {
      // The transport may be what connects the caller: in a room, nobody meets a bot that has not joined.
      const transport = await ensureTransport();
      if (!sendsMessages || !(await withTimeout(connection, over.signal))) return;
      clearTimeout(timer);
      timer = setTimeout(stop, reportMs);
      await report(transport, error);
    }

    signal.addEventListener("abort", stop, { once: true });
    const sent = sendNow().catch((err: unknown) => logger.debug({ err }, "caller not told of failure"));
    await withTimeout(sent, over.signal);
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }

  return {
    connected,
    transportBuilt(sends) {
      sendsMessages = sends;
    },
    send(error, ensureTransport) {
      sending ??= sendInTime(error, ensureTransport);
      return sending;
    },
  };
}
