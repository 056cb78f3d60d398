import {
  type CallerSocket,
  type CloseReason,
  createRateLimit,
  isRunnerError,
  type RateLimit,
  RunnerError,
  type Session,
  type SocketHandlers,
  type SocketUpgrade,
  safeEqual,
} from "@pipecat-ts/runner-core";

/** How long a call waits for a caller that lost its connection, in ms. */
export const graceMs = 10_000;
/** What the bot sends meanwhile is held, within these bounds. A message has at most as many bytes: `SocketRoute.maxPayload`. */
const maxMessages = 50;
export const maxHeldBytes: number = 1024 * 1024;
/** How often a caller may resume: once in 2 s, and 10 times at once. */
const resumptions = { perSecond: 0.5, burst: 10 };
/** The closing handshake was not completed: RFC 6455 section 7.1.5. */
const connectionLost = 1006;

/** The connection of one caller, which outlives its sockets. */
export interface ResumableSocket extends Pick<CallerSocket, "send" | "write" | "close" | "bufferedBytes"> {
  /** Whether the bot has closed the call, or the caller has left: nobody can resume it. */
  readonly isOver: boolean;
  /** The socket of the caller from now on. The one before is terminated. */
  replace(socket: CallerSocket): void;
  /** A socket is closed. Returns "hold" if the caller may resume. */
  closed(socket: CallerSocket, code: number): "hold" | undefined;
}

/** A message to the caller that the operating system has not taken yet. */
interface HeldMessage {
  readonly data: string | Uint8Array;
  readonly bytes: number;
  readonly sequence: number;
  readonly sent: PromiseWithResolvers<void>;
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
    return call && !call.socket.isOver && safeEqual(call.secret, secret) ? call : undefined;
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
  let sequence = 0;
  /** Messages on their way to the operating system, on the current or the lost socket. */
  const underWay = new Set<Promise<void>>();
  /** Messages that wait for the next socket, in order. */
  const held: HeldMessage[] = [];
  /** Whether messages go to `current`; otherwise they are held. */
  let isConnected = true;
  let grace: NodeJS.Timeout | undefined;
  let isOver = false;

  function stop(): void {
    isOver = true;
    clearTimeout(grace);
    for (const { sent } of held.splice(0)) sent.reject(callEnded());
  }
  session.onEnd(stop);

  function hold(message: HeldMessage): void {
    const heldBytes = held.reduce((sum, { bytes }) => sum + bytes, 0);
    if (held.length >= maxMessages || heldBytes + message.bytes > maxHeldBytes) {
      message.sent.reject(
        new RunnerError("CALLER_NOT_READING", "The caller lost its connection, and too many messages wait for it.", {
          fix: "Send less, or await each sendMessage before the next.",
        }),
      );
      return;
    }
    held.push(message);
    // A write may fail later than one that began after it.
    held.sort((one, other) => one.sequence - other.sequence);
  }

  function send(message: HeldMessage): void {
    const written = current
      .write(message.data)
      .then(message.sent.resolve, (error: unknown) => {
        if (!isOver && isRunnerError(error) && error.code === "CALL_ENDED") hold(message);
        else message.sent.reject(error);
      })
      .finally(() => underWay.delete(written));
    underWay.add(written);
  }

  /** Sends what is held, after the lost socket has given back its messages: they come first. */
  async function flush(): Promise<void> {
    const socket = current;
    await Promise.all(underWay);
    if (socket !== current || isOver || grace !== undefined) return;
    isConnected = true;
    for (const message of held.splice(0)) send(message);
  }

  return {
    get isOver() {
      return isOver;
    },
    send: (data) => current.send(data),
    async write(data) {
      const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
      // The socket rejects a message above its own limit, which is the same, also when it is closed.
      if (isOver || bytes > maxHeldBytes) return await current.write(data);
      const message = { data, bytes, sequence: sequence++, sent: Promise.withResolvers<void>() };
      if (isConnected) send(message);
      else hold(message);
      return await message.sent.promise;
    },
    get bufferedBytes() {
      // Audio for a caller who is away counts as dropped, not as played.
      return isConnected ? current.bufferedBytes : Number.POSITIVE_INFINITY;
    },
    async close(reason: CloseReason, deadline) {
      stop();
      await current.close(reason, deadline);
    },
    replace(socket) {
      const before = current;
      current = socket;
      isConnected = false;
      clearTimeout(grace);
      grace = undefined;
      before.raw.terminate();
      session.logger.info("caller returned");
      void flush();
    },
    closed(socket, code) {
      if (socket !== current) return undefined;
      if (code !== connectionLost) stop();
      if (isOver) return undefined;
      session.logger.info({ graceMs }, "caller lost its connection");
      isConnected = false;
      grace = setTimeout(() => {
        stop();
        left();
      }, graceMs);
      return "hold";
    },
  };
}

function callEnded(): RunnerError {
  return new RunnerError("CALL_ENDED", "The message was not sent: the caller is gone.");
}
