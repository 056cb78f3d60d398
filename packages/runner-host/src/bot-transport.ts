import { answerHandshake } from "@pipecat-ts/rtvi";
import {
  type CloseReason,
  type Connect,
  type Logger,
  RunnerError,
  type Transport,
  type TransportParams,
} from "@pipecat-ts/runner-core";

/** The transport that a session's bot makes, or never makes. */
export interface BotTransport {
  /** What the bot's `createTransport` calls: at most once, and not after the session was aborted. */
  readonly connect: Connect;
  /** Closes the transport; one that is still being built is closed when it arrives. Never rejects. */
  hangUp(reason: CloseReason, atOnce: boolean): Promise<void>;
}

/** Wraps a transport's `connect`: once only, RTVI's handshake answered, and it and its end told of. */
export function createBotTransport(options: {
  readonly connect: Connect;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  onBuilt(transport: Transport): void;
  onClosed(reason: CloseReason): void;
}): BotTransport {
  const { connect, signal, logger, onBuilt, onClosed } = options;
  let asked = false;
  let transport: Transport | undefined;
  let closeOnArrival: { readonly reason: CloseReason; readonly atOnce: boolean } | undefined;

  async function build(params: TransportParams): Promise<Transport> {
    const built = await connect(params);
    transport = built;
    answerHandshake(built, { logger });
    onBuilt(built);
    built.closed.then(onClosed, (err) => {
      logger.error({ err }, "the transport's closed promise rejected");
      onClosed("transport-failed");
    });
    if (closeOnArrival) void close(built, closeOnArrival.reason, closeOnArrival.atOnce);
    return built;
  }

  async function close(of: Transport, reason: CloseReason, atOnce: boolean): Promise<void> {
    try {
      if (atOnce) of.interrupt();
      await of.close(reason);
      await of.closed;
    } catch (err) {
      logger.error({ err }, "the transport failed to close");
    }
  }

  return {
    async connect(params) {
      if (asked) {
        throw new RunnerError("TRANSPORT_ALREADY_CREATED", "This session's transport was created already.", {
          fix: "Call createTransport once for each session, and pass its transport on.",
        });
      }
      asked = true;
      return await unlessAborted(signal, () => build(params));
    },
    async hangUp(reason, atOnce) {
      if (transport) return await close(transport, reason, atOnce);
      closeOnArrival = { reason, atOnce };
    },
  };
}

/** What `work` resolves to; rejects as soon as `signal` is aborted, so that a caller who never connects holds no bot up. */
function unlessAborted<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const refuse = () =>
      reject(
        new RunnerError("TRANSPORT_NOT_CONNECTED", "The session ended before its transport was connected.", {
          cause: signal.reason,
        }),
      );
    if (signal.aborted) return refuse();
    signal.addEventListener("abort", refuse, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", refuse));
  });
}
