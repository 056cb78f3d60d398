import type { DailyParams } from "@pipecat-ts/runner-daily";
import type { LiveKitParams } from "@pipecat-ts/runner-livekit";
import type { PhoneParams } from "@pipecat-ts/runner-telephony";
import type { WebRTCParams } from "@pipecat-ts/runner-webrtc";
import type { WebSocketParams } from "@pipecat-ts/runner-websocket";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import {
  type AudioFrame,
  createRTVI,
  createRunner,
  createTransport,
  decodePcm16,
  encodePcm16,
  encodeWav,
  type OptionDefinition,
  parseWav,
  type RTVI,
  type RTVIOptions,
  type RunnerConfig,
  type RunnerError,
  type RunnerOptions,
  type Speech,
  type Transport,
} from "pipecat-runner";
import { describe, expect, expectTypeOf, test } from "vitest";

/** The optional properties of T that refuse `undefined` under exactOptionalPropertyTypes. */
type Refusing<T> = {
  [K in keyof T]-?: object extends Pick<T, K> ? ({ [P in K]: undefined } extends Pick<T, K> ? never : K) : never;
}[keyof T];
type Argument<F extends (...args: never) => unknown, Index extends number> = NonNullable<Parameters<F>[Index]>;

describe("optional arguments accept undefined", () => {
  test("in their types", () => {
    expectTypeOf<Refusing<{ a?: string; b?: string | undefined; c: string }>>().toEqualTypeOf<"a">();
    expectTypeOf<Refusing<RunnerOptions>>().toBeNever();
    expectTypeOf<Refusing<RunnerConfig>>().toBeNever();
    expectTypeOf<Refusing<OptionDefinition>>().toBeNever();
    expectTypeOf<Refusing<NonNullable<ConstructorParameters<typeof RunnerError>[2]>>>().toBeNever();
    expectTypeOf<Refusing<DailyParams>>().toBeNever();
    expectTypeOf<Refusing<LiveKitParams>>().toBeNever();
    expectTypeOf<Refusing<PhoneParams>>().toBeNever();
    expectTypeOf<Refusing<WebRTCParams>>().toBeNever();
    expectTypeOf<Refusing<WebSocketParams>>().toBeNever();
    expectTypeOf<Refusing<Argument<Speech["text"], 1>>>().toBeNever();
    expectTypeOf<Refusing<Argument<Transport["on"], 2>>>().toBeNever();
    expectTypeOf<Refusing<RTVIOptions>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["botSpeech"], 1>>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["callFunction"], 2>>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["userTranscription"], 0>>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["userInput"], 0>>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["llmFunctionCallStopped"], 0>>>().toBeNever();
    expectTypeOf<Refusing<Argument<RTVI["metrics"], 0>>>().toBeNever();
  });

  test("at run time", async () => {
    const created = Promise.withResolvers<Transport>();
    const runner = createRunner({
      async bot(args) {
        const params = { audioInSampleRate: undefined, audioInEnabled: undefined, audioOutSampleRate: undefined };
        const transport = await createTransport(args, { websocket: () => params });
        const options = { about: undefined, logger: undefined, metrics: undefined, rawTexts: undefined };
        const rtvi = createRTVI(transport, { ...options, functionCallReportLevel: undefined });
        await rtvi.userTranscription({ text: "Hi", final: true, userId: undefined, timestamp: undefined });
        rtvi.botSpeech("Hello", { playback: undefined, outputType: undefined });
        transport.on("dtmf", () => undefined, { tap: undefined });
        transport.speak().text("Hello", { atMs: undefined });
        created.resolve(transport);
        await transport.closed;
      },
      plugins: [plugin],
      pluginOptions: undefined,
      host: "127.0.0.1",
      port: 0,
      env: {},
      publicUrl: undefined,
      clientRoot: undefined,
      maxSessions: undefined,
      apiKey: undefined,
      logger: undefined,
    });
    await runner.listen();
    const socket = new WebSocket(`ws://127.0.0.1:${runner.url.port}/ws-client`);
    try {
      expect((await created.promise).capabilities).toMatchObject({ audioIn: true, audioOut: true });
    } finally {
      socket.close();
      await runner.close();
    }
  });
});

test("pipecat-runner exports frames, PCM and WAV", () => {
  const frame: AudioFrame = { samples: decodePcm16(encodePcm16(Int16Array.of(1, -2))), sampleRate: 8_000, channels: 1 };
  expect(parseWav(encodeWav(frame))).toEqual(frame);
});
