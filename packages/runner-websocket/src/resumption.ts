import {
  type CallerSocket,
  type CloseReason,
  createRateLimit,
  type RateLimit,
  RunnerError,
  type Session,
  type SocketHandlers,
  type SocketUpgrade,
  safeEqual,
} from "@pipecat-ts/runner-core";

/** How long a call waits for a caller that lost its connection, in ms. */
export const graceMs = 10_000;
/** What the bot sends meanwhile is kept, within these bounds. */
const maxMessages = 50;
const maxMessageBytes = 1024 * 1024;
/** How often a caller may resume: once in 2 s, and 10 times at once. */
const resumptions = { perSecond: 0.5, burst: 10 };
/** The closing handshake was not completed: RFC 6455 section 7.1.5. */
const connectionLost = 1006;

/** The connection of one caller, which outlives its sockets. */
export interface ResumableSocket extends Pick<CallerSocket, "send" | "write" | "close" | "bufferedBytes"> {
  /** The socket of the caller from now on. The one before is terminated. */
  replace(socket: CallerSocket): void;
  /** A socket is closed. Returns "keep" if the caller may resume, or has resumed already. */
  closed(socket: CallerSocket, code: number): "keep" | undefined;
}

/** The secret with which a caller proves that it may resume; `undefined` without one. Throws REQUEST_INVALID for a weak one. */
export function resumeSecret({ searchParams }: URL): string | undefined {
  const secret = searchParams.get("resume") ?? undefined;
  if (secret === undefined || /^[\w-]{22,64}$/.test(secret)) return secret;
  throw new RunnerError("REQUEST_INVALID", "The value of ?resume= cannot be used as a secret.", {
    fix: "Use 22 to 64 random characters of A-Z, a-z, 0-9, - and _ for each call.",
  });
}

/** A call whose caller may resume. */
export interface ResumableCall extends Pick<SocketHandlers, "message"> {
  readonly secret: string;
  readonly socket: ResumableSocket;
}

/** The calls whose callers may resume, in one runner. */
export interface Resumptions {
  add(session: Session, call: ResumableCall): void;
  /** See `SocketRoute.resumes`. */
  allows(request: SocketUpgrade): boolean;
  find(session: Session, secret: string | undefined): ResumableCall | undefined;
}

export function createResumptions(): Resumptions {
  const calls = new Map<string, ResumableCall & { readonly rate: RateLimit }>();

  function find({ id }: Session, secret: string | undefined) {
    const call = calls.get(id);
    return call && safeEqual(call.secret, secret) ? call : undefined;
  }

  return {
    add(session, call) {
      calls.set(session.id, { ...call, rate: createRateLimit(resumptions) });
      session.onEnd(() => void calls.delete(session.id));
    },
    allows({ session, url }) {
      const secret = url.searchParams.get("resume") ?? undefined;
      return session !== undefined && find(session, secret)?.rate.take() === true;
    },
    find,
  };
}

/** `left` is called when the caller did not return within the grace period. */
export function createResumableSocket(first: CallerSocket, session: Session, left: () => void): ResumableSocket {
  let current = first;
  const kept: { readonly data: string | Uint8Array; readonly sent: PromiseWithResolvers<void> }[] = [];
  let keptBytes = 0;
  let grace: NodeJS.Timeout | undefined;
  let isOver = false;

  function stop(): void {
    isOver = true;
    clearTimeout(grace);
    grace = undefined;
    for (const { sent } of kept.splice(0)) sent.reject(callEnded());
  }
  session.onEnd(stop);

  function keep(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    if (kept.length >= maxMessages || keptBytes + bytes > maxMessageBytes) {
      throw new RunnerError(
        "CALLER_NOT_READING",
        "The caller lost its connection, and too many messages wait for it.",
        {
          fix: "Send less, or await each sendMessage before the next.",
        },
      );
    }
    const sent = Promise.withResolvers<void>();
    kept.push({ data, sent });
    keptBytes += bytes;
    return sent.promise;
  }

  return {
    send: (data) => current.send(data),
    async write(data) {
      if (grace === undefined) await current.write(data);
      else await keep(data);
    },
    get bufferedBytes() {
      return current.bufferedBytes;
    },
    async close(reason: CloseReason, deadline) {
      stop();
      await current.close(reason, deadline);
    },
    replace(socket) {
      const before = current;
      current = socket;
      clearTimeout(grace);
      grace = undefined;
      before.raw.terminate();
      session.logger.info("caller returned");
      keptBytes = 0;
      for (const { data, sent } of kept.splice(0)) current.write(data).then(sent.resolve, sent.reject);
    },
    closed(socket, code) {
      if (socket !== current) return "keep";
      if (isOver || code !== connectionLost) return undefined;
      session.logger.info({ graceMs }, "caller lost its connection");
      grace = setTimeout(left, graceMs);
      return "keep";
    },
  };
}

function callEnded(): RunnerError {
  return new RunnerError("CALL_ENDED", "The message was not sent: the caller is gone.");
}
