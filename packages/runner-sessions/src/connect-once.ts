import { type Connect, RunnerError, type Transport, type TransportParams } from "@pipecat-ts/runner-core";

/** How a session gets its transport, once. */
export interface ConnectOnce {
  /** For the bot: builds the transport. Rejects the second time. */
  readonly connect: Connect;
  /** The transport that the bot has or builds, or one with the default params. */
  ensureTransport(): Promise<Transport>;
}

/** Calls `build` at most once. Rejects when `signal` aborts, so that a caller who never connects does not block the bot. */
export function connectOnce(signal: AbortSignal, build: (params: TransportParams) => Promise<Transport>): ConnectOnce {
  let built: Promise<Transport> | undefined;

  function start(params: TransportParams): Promise<Transport> {
    built = new Promise((resolve, reject) => {
      const refuse = () => {
        const message = "The session ended before its transport was connected.";
        reject(new RunnerError("TRANSPORT_NOT_CONNECTED", message, { cause: signal.reason }));
      };
      if (signal.aborted) return refuse();
      signal.addEventListener("abort", refuse, { once: true });
      build(params)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", refuse));
    });
    return built;
  }

  return {
    connect(params) {
      if (built === undefined) return start(params);
      const message = "This session's transport was created already.";
      const fix = "Call createTransport once per session, and pass its transport on.";
      return Promise.reject(new RunnerError("TRANSPORT_ALREADY_CREATED", message, { fix }));
    },
    ensureTransport: () => built ?? start({}),
  };
}
