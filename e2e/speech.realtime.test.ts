import { EventEmitter } from "node:events";
import { encodePcm16 } from "@pipecat-ts/audio";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, tone, until } from "@pipecat-ts/runner-testing";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import { createRTVI, createTransport, type RunnerArguments, type Speech, type SpeechEnd } from "pipecat-runner";
import { afterEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

vi.setConfig({ testTimeout: 30_000 });
const timeoutMs = 10_000;
const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** A speech-to-speech service: it delivers a whole answer within 200 ms, text before audio, like OpenAI's Realtime API. */
interface Service extends EventEmitter {
  /** Where the bot truncated its answer, in ms. */
  readonly truncated: number[];
  respond(text: string, durationMs: number): Promise<void>;
}

function createService(): Service {
  const pieces = 20;
  return Object.assign(new EventEmitter(), {
    truncated: [],
    async respond(this: Service, text: string, durationMs: number) {
      this.emit("response.created");
      const audio = encodePcm16(tone(440, { durationMs, sampleRate: 24_000 }).samples);
      const words = text.split(/(?= )/);
      for (let index = 0; index < pieces; index++) {
        for (const word of words.splice(0, 2)) this.emit("response.output_audio_transcript.delta", word);
        const part = audio.subarray((index * audio.length) / pieces, ((index + 1) * audio.length) / pieces);
        this.emit("response.output_audio.delta", Buffer.from(part).toString("base64"));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      this.emit("response.done");
    },
  });
}

/** Everything that a bot on such a service needs to speak, to be interrupted, and to remember what was heard. */
async function bot(args: RunnerArguments, service: Service, ends: SpeechEnd[]): Promise<void> {
  const transport = await createTransport(args, { websocket: () => ({}) });
  createRTVI(transport);
  let speech: Speech | undefined;
  service.on("response.created", () => {
    speech = transport.speak();
    void speech.done.then((end) => ends.push(end));
  });
  service.on("response.output_audio.delta", (base64) => speech?.write(Buffer.from(base64, "base64"), 24_000));
  service.on("response.output_audio_transcript.delta", (text) => speech?.text(text));
  service.on("response.done", () => speech?.end());
  service.on("input_audio_buffer.speech_started", () => {
    transport.interrupt();
    if (speech) service.truncated.push(Math.floor(speech.playedMs));
  });
  await transport.closed;
}

interface Message {
  readonly type: string;
  readonly data?: { readonly text: string; readonly spoken_progress?: { readonly accumulated_text: string } };
}

/** Connects a caller who reads RTVI as JSON. */
async function call() {
  const service = createService();
  const ends: SpeechEnd[] = [];
  const logger = createRecordingLogger();
  const runner: Runner = createRunner({
    bot: (args) => bot(args, service, ends),
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  await runner.listen();
  releases.push(() => runner.close());
  const socket = new WebSocket(`ws://127.0.0.1:${runner.url.port}/ws-client`);
  releases.push(() => socket.terminate());
  const messages: Message[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data))));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  socket.send(JSON.stringify({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.2.0" } }));
  await until("bot-ready arrives", () => messages.some(({ type }) => type === "bot-ready"), timeoutMs);
  const texts = (wanted: string) => messages.flatMap(({ type, data }) => (type === wanted && data ? [data.text] : []));
  const types = () => messages.map(({ type }) => type);
  return { service, ends, logger, messages, texts, types };
}

const answer = "One two three four five. Six seven eight nine ten. And so on, until the very end.";

test("a speech-to-speech bot shows its text while the caller hears it", async () => {
  const { service, ends, logger, messages, texts, types } = await call();
  await service.respond(answer, 1_500);
  expect(texts("bot-output")).not.toContain("And so on, until the very end.");
  await until("the answer ends", () => ends.length > 0, timeoutMs);
  await until("the bot stops speaking", () => types().includes("bot-stopped-speaking"), timeoutMs);
  expect(ends).toEqual([{ playedMs: 1_500, interrupted: false, heardText: answer }]);
  expect(texts("bot-tts-text").join(" ")).toBe(answer);
  expect(texts("bot-transcription")).toEqual(answer.split(/(?<=\.) /));
  expect(types().indexOf("bot-started-speaking")).toBeLessThan(types().indexOf("bot-output"));
  expect(messages.at(-1)?.type).toBe("bot-stopped-speaking");
  expect(logger.lines.filter(({ message }) => message.includes("dropped"))).toEqual([]);
});

test("an interrupted bot truncates its answer where the caller, the client and its history stop, and stays silent", async () => {
  const { service, ends, messages, texts, types } = await call();
  const responding = service.respond(answer, 4_000);
  await until("the caller hears a sentence", () => texts("bot-transcription").length > 0, timeoutMs);
  service.emit("input_audio_buffer.speech_started");
  // Late deltas of the interrupted answer.
  for (let index = 0; index < 20; index++)
    service.emit("response.output_audio.delta", Buffer.alloc(9_600, 1).toString("base64"));
  service.emit("response.output_audio_transcript.delta", " Late.");
  await responding;
  await until("the bot stops speaking", () => types().includes("bot-stopped-speaking"), timeoutMs);
  await new Promise((resolve) => setTimeout(resolve, 300));

  const [end] = ends;
  expect(end?.interrupted).toBe(true);
  expect(answer.startsWith(end?.heardText ?? "?")).toBe(true);
  expect(end?.heardText.length).toBeGreaterThan(20);
  expect(end?.heardText.length).toBeLessThan(60);
  expect(service.truncated).toEqual([Math.floor(end?.playedMs ?? -1)]);
  expect(end?.playedMs).toBeGreaterThan(1_000);
  expect(end?.playedMs).toBeLessThan(2_500);
  expect(texts("bot-tts-text").join(" ")).toBe(end?.heardText);
  const outputs = messages.filter(({ type }) => type === "bot-output");
  expect(outputs.some(({ data }) => data?.text.includes("very end"))).toBe(false);
  expect(types().filter((type) => type === "bot-started-speaking")).toHaveLength(1);
  expect(messages.at(-1)?.type).toBe("bot-stopped-speaking");
});
