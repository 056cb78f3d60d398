import { type AudioFrame, resample } from "@pipecat-ts/audio";
import { isFault, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import {
  type CallEnd,
  type Caller,
  type CallerLine,
  type CallerPlugin,
  clientReady,
  openMicrophone,
  requestStart,
  rtviData,
  rtviMessage,
} from "@pipecat-ts/runner-core/caller";
import { createRunner, parsePublicUrl, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createHearing, type Hearing } from "./hearing.ts";
import { createRecordingLogger, type RecordingLogger } from "./log.ts";

/** Options of `createRunner`, and who calls it. Default: a free port of this machine. */
export interface TestRunnerOptions extends RunnerOptions {
  /** The default exports of the transports' `./caller` modules. */
  readonly callers: readonly CallerPlugin[];
}

/** A runner on this machine, with the callers of its transports. */
export interface TestRunner extends AsyncDisposable {
  readonly url: URL;
  readonly logger: RecordingLogger;
  /**
   * Calls the bot over a transport, with everything on the wire. `body` is `args.body`, for transports with `/start`. Rejects with
   * TRANSPORT_UNAVAILABLE without a caller of that name, and when the runner rejects the call.
   */
  call(transport: string, options?: { readonly body?: unknown }): Promise<RunnerCall>;
  /** Hangs up all calls and closes the runner. */
  close(): Promise<void>;
}

/** A call over the wire. */
export interface RunnerCall extends Hearing {
  readonly caller: Caller;
  /** Says mono audio of any rate in real time. Resolves when it was said, or when the call has ended. The caller is silent otherwise. */
  say(audio: AudioFrame): Promise<void>;
  /** The data of all RTVI messages of this type that arrived, oldest first. */
  received(type: string): readonly unknown[];
  /** Sends an RTVI message: `send("send-text", { content: "hello" })`. Does nothing on transports without messages. */
  send(type: string, data?: unknown): void;
  /** Presses a key of the phone; over transports for apps, sends RTVI's `dtmf`. */
  press(key: string): void;
  /** Hangs up, and resolves when the wire is closed. */
  hangUp(): Promise<CallEnd>;
  /** Resolves when the wire is closed, by either side. */
  readonly ended: Promise<CallEnd>;
}

/** Starts a runner for tests of a bot with its transports. `callBot` needs neither, and has no wire. */
export async function startRunner({ callers, ...options }: TestRunnerOptions): Promise<TestRunner> {
  const logger = createRecordingLogger();
  const runner = createRunner({ host: "127.0.0.1", port: 0, env: {}, logger, ...options });
  const calls = new Set<RunnerCall>();
  const dialing = new Set<Promise<RunnerCall>>();
  const lines = new Map<string, Promise<CallerLine>>();
  const publicUrl = typeof options.publicUrl === "string" ? parsePublicUrl(options.publicUrl) : options.publicUrl;
  await runner.listen();

  async function openLine(plugin: CallerPlugin): Promise<CallerLine> {
    const given = options.pluginOptions?.[plugin.name] ?? {};
    return await plugin.open(resolveOptions(plugin.options ?? {}, { given, env: {} }));
  }

  async function placeCall(plugin: CallerPlugin, body: unknown): Promise<RunnerCall> {
    const opening = lines.get(plugin.name) ?? openLine(plugin);
    lines.set(plugin.name, opening);
    const line = await opening;
    const target = { url: runner.url, publicUrl, key: options.apiKey };
    const start = plugin.starts ? await requestStart(plugin.name, target, body) : undefined;
    const call = createRunnerCall(await line.dial({ ...target, ...(start && { start }) }));
    calls.add(call);
    return call;
  }

  const testRunner: TestRunner = {
    url: runner.url,
    logger,
    async call(transport, { body } = {}) {
      const plugin = callers.find(({ name }) => name === transport);
      if (!plugin) {
        throw new RunnerError("TRANSPORT_UNAVAILABLE", `No caller has the name "${transport}".`, {
          fix: "Add the default export of the transport's ./caller module to callers.",
        });
      }
      const placing = placeCall(plugin, body);
      dialing.add(placing);
      try {
        return await placing;
      } finally {
        dialing.delete(placing);
      }
    },
    async close() {
      const none = () => undefined; // `call` has rejected already
      const late = Promise.allSettled([...dialing].map((placing) => placing.then((call) => call.hangUp(), none)));
      const results: PromiseSettledResult<unknown>[] = await Promise.allSettled(
        [...calls].map((call) => call.hangUp()),
      );
      results.push(...(await Promise.allSettled([runner.close()])), ...(await late));
      const closing = [...lines.values()].map((line) => line.then((opened) => opened.close?.(), none));
      results.push(...(await Promise.allSettled(closing)));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    },
    [Symbol.asyncDispose]: () => testRunner.close(),
  };
  return testRunner;
}

function createRunnerCall(caller: Caller): RunnerCall {
  const { sampleRate, playout, messages = [], closed } = caller;
  let saidAtMs = performance.now();
  let actedAtMs: number | undefined;
  let failure: string | undefined;
  const microphone = openMicrophone(sampleRate, (frame) => caller.sendAudio(frame));
  void closed.then(({ reason }) => {
    microphone.close();
    if (isFault(reason)) failure = `The call ended with ${reason}.`;
  });
  const act = (): void => {
    actedAtMs = performance.now();
  };
  const send = (type: string, data?: unknown): void => {
    act();
    caller.sendMessage?.(rtviMessage(type, data));
  };
  caller.sendMessage?.(clientReady("@pipecat-ts/runner-testing"));

  return {
    caller,
    ended: closed,
    ...createHearing({
      playout,
      saidAtMs: () => saidAtMs,
      actedAtMs: () => actedAtMs,
      failure: () => failure,
    }),
    async say(audio) {
      act();
      await microphone.say(resample(audio, sampleRate));
      saidAtMs = performance.now();
    },
    received: (type) => rtviData(messages, type),
    send,
    press(key) {
      act();
      if (caller.press) caller.press(key);
      else send("dtmf", { button: key });
    },
    async hangUp() {
      microphone.close();
      await caller.hangUp();
      return await closed;
    },
  };
}
