import { AssertionError } from "node:assert";
import { type AudioFrame, resample } from "@pipecat-ts/audio";
import type {
  Bot,
  Call,
  CallData,
  Clock,
  CloseReason,
  MediaPort,
  SessionArguments,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import { isFault, systemClock } from "@pipecat-ts/runner-core";
import {
  clientReady,
  createPlayout,
  openMicrophone,
  type Playout,
  rtviData,
  rtviMessage,
} from "@pipecat-ts/runner-core/caller";
import { createRunner } from "@pipecat-ts/runner-host";
import { createHearing, type Hearing } from "./hearing.ts";
import { createRecordingLogger, type RecordingLogger } from "./log.ts";

/** How a simulated caller calls a bot. */
export interface BotCallOptions {
  /** `args.transport`, for which the bot has params. Default `webrtc`. */
  readonly transport?: string;
  /** `args.body`. */
  readonly body?: unknown;
  /** `args.callData`, for a phone call. */
  readonly callData?: CallData;
  /** `args.cliArgs`. */
  readonly cliArgs?: Readonly<Record<string, unknown>>;
  /** Whether the caller's application speaks RTVI, and says so when the call begins. Default true. */
  readonly rtvi?: boolean;
  /** Whether the caller's microphone sends audio while the caller is silent, as most do. A muted one may not. Default true. */
  readonly sendsSilence?: boolean;
}

/**
 * A call of a simulated caller. With `await using`, it ends with the test, also when the test fails. The test then fails if the call
 * ended with `bot-failed`, `transport-failed` or `bot-stuck`, unless it has called `hangUp`, read `ended`, or failed in `hears` or
 * `hearsSilence`, whose errors say so too.
 */
export interface BotCall extends Hearing, AsyncDisposable {
  /** What the caller hears, in real time. */
  readonly playout: Playout;
  /** The messages that arrived at the caller's application, oldest first. */
  readonly messages: readonly unknown[];
  /** The log of the runner. */
  readonly logger: RecordingLogger;
  /** The data of all RTVI messages of this type that arrived, oldest first. */
  received(type: string): readonly unknown[];
  /** Says `audio`, mono of any rate, in real time. Resolves when it was said, or when the call has ended. The caller is silent otherwise. */
  say(audio: AudioFrame): Promise<void>;
  /** Sends a message from the caller's application. */
  sendMessage(message: unknown): void;
  /** Sends an RTVI message: `send("send-text", { content: "hello" })`. */
  send(type: string, data?: unknown): void;
  /** Presses a key of the phone: one of `0-9 * # A-D`. */
  press(key: string): void;
  /** Hangs up, and resolves when the bot has returned and everything is released. */
  hangUp(): Promise<CloseReason>;
  /** Resolves, and never rejects, when the call has ended and everything is released. */
  readonly ended: Promise<CloseReason>;
}

const frameMs = 20;
const sampleRate = 24_000;
/** Sample rate of the microphone. A wire has one: the runner drops audio whose rate changes twice within 500 ms. */
const microphoneRate = 16_000;

/** What the runner logs when a call fails. The call ends up to 500 ms later, and then with another reason if the caller has left. */
const failures = ["bot failed", "transport failed", "bot ignored its abort signal"];

/** How long a call that no test uses keeps the process running. */
const unusedMs = 10_000;

/**
 * Calls a bot with a simulated caller: everything is real but the wire. No port is opened and no transport package is needed.
 * The caller sends audio without a pause: speech when it `say`s something, otherwise silence, like a browser or a phone. With
 * `sendsSilence: false` it sends only speech.
 *
 * Resolves when the bot has created its transport, or has ended without. Rejects when the runner does. A call that a failed test left
 * behind does not keep the process running.
 */
export async function callBot(bot: Bot, options: BotCallOptions = {}): Promise<BotCall> {
  const { transport = "webrtc", body, callData, cliArgs = {}, rtvi = true, sendsSilence = true } = options;
  const logger = createRecordingLogger();
  const playout = createPlayout();
  const messages: unknown[] = [];
  const ready = Promise.withResolvers<Call>();
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<CloseReason>();

  const port: MediaPort = {
    sampleRates: [sampleRate],
    frameMs,
    send: (frame) => playout.enqueue(frame),
    clear: () => playout.clear(),
    sendMessage: async (message) => void messages.push(onWire(message)),
    close: () => playout.close(),
  };
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name: transport,
    open: (context) => ({
      advanced: {
        async direct() {
          const session = context.createSession({ body });
          const own = callData === undefined ? {} : { callData };
          const call = session.run<SessionArguments>(own, () => {
            connected.resolve();
            return port;
          });
          call.connected();
          ready.resolve(call);
          ended.resolve(await session.ended);
        },
      },
    }),
  };
  const runner = createRunner({ bot, plugins: [plugin], cliArgs, logger, env: {}, clock: unrefClock });
  const alive = keepAlive();
  const released = runner.direct().finally(() => alive.stop());
  const call = await Promise.race([ready.promise, released.then(() => ready.promise)]);
  const reason = released.then(() => ended.promise);
  let saidAtMs = performance.now();
  let actedAtMs: number | undefined;
  let saying = 0;
  /** Whether the test knows how the call ended. */
  let isEndKnown = false;
  const failure = (): string | undefined => {
    const line = logger.lines.find(({ level, message }) => level === "error" && failures.includes(message));
    return line && [`The ${line.message}`, line.fields.err ?? []].flat().join(": ");
  };
  const microphone = openMicrophone(microphoneRate, (frame) => {
    if (sendsSilence || saying > 0) call.audio(frame);
  });
  void reason.finally(() => microphone.close());

  const sendMessage = (message: unknown): void => call.message(onWire(message));
  if (rtvi) sendMessage(clientReady("@pipecat-ts/runner-testing"));
  await alive.during(Promise.race([connected.promise, reason]));
  const { hears, hearsSilence } = createHearing({
    playout,
    saidAtMs: () => saidAtMs,
    actedAtMs: () => actedAtMs,
    failure,
  });
  const act = (): void => {
    actedAtMs = performance.now();
  };
  /** Waits for an assertion. Its error has told the test how the call failed. */
  const assert = <T>(assertion: Promise<T>): Promise<T> =>
    alive.during(assertion).catch((error: unknown) => {
      isEndKnown = true;
      throw error;
    });
  const end = (): Promise<CloseReason> => {
    call.left();
    return alive.during(reason);
  };

  const botCall: BotCall = {
    playout,
    messages,
    logger,
    received: (type) => rtviData(messages, type),
    hears: (expected) => assert(hears(expected)),
    hearsSilence: (options) => assert(hearsSilence(options)),
    async say(audio) {
      act();
      saying++;
      await alive.during(microphone.say(resample(audio, microphoneRate)));
      saying--;
      saidAtMs = performance.now();
    },
    sendMessage(message) {
      act();
      sendMessage(message);
    },
    send: (type, data) => botCall.sendMessage(rtviMessage(type, data)),
    press(key) {
      act();
      call.dtmf(key);
    },
    hangUp() {
      isEndKnown = true;
      return end();
    },
    get ended() {
      isEndKnown = true;
      return alive.during(reason);
    },
    async [Symbol.asyncDispose]() {
      const failedBefore = failure() !== undefined;
      const ending = await end();
      // An error of the test itself is not lost: the language adds it to this one as `suppressed`.
      if (!isEndKnown && (failedBefore || isFault(ending)))
        throw new AssertionError({ message: failure() ?? `The call ended with ${ending}.` });
    },
  };
  return botCall;
}

/** The message that arrives on the other side: wires carry JSON. */
function onWire(message: unknown): unknown {
  return JSON.parse(JSON.stringify(message));
}

/** The machine's clock, with timers that do not keep the process running. */
const unrefClock: Clock = {
  now: systemClock.now,
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.ceil(delayMs)).unref();
    return () => clearTimeout(timer);
  },
};

/** Keeps the process running until `stop`, but at most `unusedMs` after the last `during`. */
function keepAlive(): { during<T>(work: Promise<T>): Promise<T>; stop(): void } {
  let working = 0;
  let usedAtMs = performance.now();
  let stopped = false;
  const timer = setInterval(() => {
    if (working === 0 && performance.now() - usedAtMs >= unusedMs) timer.unref();
  }, 1_000);
  return {
    async during(work) {
      working++;
      if (!stopped) timer.ref();
      try {
        return await work;
      } finally {
        working--;
        usedAtMs = performance.now();
      }
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
