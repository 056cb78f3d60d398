import { type CloseReason, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import { type Caller, createReception, type Pacer } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import type { CallControl } from "./call-control.ts";
import { closeSocket } from "./closing.ts";
import type { CallCodec, CallEvent } from "./codec.ts";
import { parseObject } from "./json.ts";
import { createTimeline } from "./timeline.ts";

/** One call's socket, listened to from its announcement on. */
export interface Line {
  /** Tells `caller` what was kept since, and from now on everything at once. Once. */
  attach(caller: Caller): void;
  send(message: string): void;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  /** Whether the carrier is told to hang up when the call ends here. True until it is changed. */
  autoHangUp: boolean;
  /**
   * Ends the call for the caller, unless that came about by itself or somebody else took it: by the carrier's API, which
   * is not waited for longer than 1.2 s, and by closing the socket. Resolves, never rejects, when the socket is closed.
   */
  end(reason: CloseReason): Promise<void>;
  /** Whether the caller is gone: at once, before anybody is told. */
  readonly gone: boolean;
  /** Resolves, never rejects, when the caller is gone. */
  readonly left: Promise<CloseReason>;
}

/** What a line is built from. */
export interface LineOptions {
  readonly socket: WebSocket;
  readonly codec: CallCodec;
  readonly control: CallControl;
  /** The carrier's name in sentences. */
  readonly title: string;
  /** Whether the carrier ends a call by closing its socket alone. */
  readonly endsSilently: boolean;
  readonly pacer: Pacer;
  readonly logger: Logger;
}

/** Whoever releases a session waits 2 s, of which closing the socket may take half a second. */
const patienceMs = 1_200;

/** RFC 6455 section 7.4.1: closed normally, and without a code. */
const cleanCodes: readonly number[] = [1000, 1005];

/** Call it within the event of the announcement: what comes after it is heard. */
export function createLine({ socket, codec, control, title, endsSilently, pacer, logger }: LineOptions): Line {
  const { clock } = pacer;
  const reception = createReception();
  const timeline = createTimeline({ pacer, sampleRate: codec.callerSampleRate, give: reception.audio });
  const { promise: left, resolve: resolveLeft } = Promise.withResolvers<CloseReason>();
  let caller: Caller | undefined;
  let skipped = 0;
  let errors = 0;
  let gone = false;
  let broken = false;
  /** Whether the carrier ended the call, rather than the network the socket. */
  let over = false;
  let ending: Promise<void> | undefined;
  const line: Line = {
    autoHangUp: true,
    left,
    get gone() {
      return gone;
    },
    attach(to) {
      caller = to;
      reception.attach(to);
    },
    send: (message) => socket.send(message),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    end(reason) {
      ending ??= end(reason);
      return ending;
    },
  };

  function skip(why: string): void {
    skipped += 1;
    if (skipped === 1) logger.warn(`Skipped ${why} from ${title}. Further ones of no use are only counted.`);
  }

  function read(data: Buffer, isBinary: boolean): void {
    if (gone) return;
    const message = isBinary ? undefined : parseObject(data.toString("utf8"));
    const event = message && decode(message);
    if (event) hear(event);
    else skip(isBinary ? "a binary message" : message ? "a message that means nothing" : "what is no JSON object");
  }

  /** A carrier's codec must not throw; one that does would end every call, as an uncaught exception. */
  function decode(message: Parameters<CallCodec["decode"]>[0]): CallEvent | undefined {
    try {
      return codec.decode(message);
    } catch (error) {
      if (skipped === 0) logger.error({ err: error }, `The codec of ${title} failed.`);
      return undefined;
    }
  }

  function hear(event: CallEvent): void {
    if (event.kind === "audio") timeline.take(event);
    else if (event.kind === "played") caller?.played(event.mark);
    else if (event.kind === "dtmf") reception.dtmf(event.digit);
    else if (event.kind === "error") complain(event.title);
    else if (event.kind === "stop") {
      over = true;
      leave("caller-left");
      void closeSocket(socket, "caller-left", clock);
    }
  }

  function complain(what: string): void {
    errors += 1;
    if (errors === 1) logger.warn(`${title} reports "${what}". Further errors are only counted.`);
    caller?.error(new RunnerError("CARRIER_REFUSED", `${title} reports "${what}".`));
  }

  /** The bot's transport first, so that the bot is told before its call is closed. */
  function leave(reason: CloseReason): void {
    if (gone) return;
    gone = true;
    timeline.end();
    const lost = {
      skippedMessages: skipped,
      carrierErrors: errors,
      lateAudio: timeline.counters.late,
      unheardAudioMs: Math.round(reception.dropped.audioMs),
      unheardKeys: reception.dropped.digits,
    };
    if (Object.values(lost).some((count) => count > 0)) logger.info(lost, "Not all that the carrier sent was used.");
    reception.left(reason);
    resolveLeft(reason);
  }

  async function end(reason: CloseReason): Promise<void> {
    const closed = socket.readyState === socket.CLOSED;
    if (!over && line.autoHangUp && control.canHangUp) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const cancel = clock.after(patienceMs, resolve);
      await Promise.race([hangUp(closed ? 1 : 2), late]);
      cancel();
    }
    await closeSocket(socket, reason, clock);
  }

  async function hangUp(tries: number): Promise<void> {
    if (!(await control.handedOn())) await control.hangUp(tries);
  }

  socket.on("message", read);
  // Says what broke the protocol, a message above the route's limit for one; `close` follows.
  socket.on("error", (error) => {
    broken = true;
    logger.warn(`The socket of ${title} cannot go on: ${error.message}.`);
  });
  socket.once("close", (code) => {
    // Without a last word, from a carrier that has one, anything between may have closed it, and the call go on.
    over ||= endsSilently && cleanCodes.includes(code);
    leave(broken ? "transport-failed" : "caller-left");
  });
  reception.connected();
  return line;
}
