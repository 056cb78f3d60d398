import { encodePcm16, silence, tone } from "@pipecat-ts/audio";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { startFakeDeepgram } from "./deepgram.ts";
import { startFakeGemini } from "./gemini.ts";
import { startFakeOpenAI } from "./openai.ts";

// The simulated vendors give a bot nothing that it did not ask the real vendors for.

/** The fields of the vendors' messages that the tests read. */
interface Received {
  readonly type: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly session?: { readonly audio: object };
  readonly serverContent?: object;
  readonly is_final?: boolean;
  readonly from_finalize?: boolean;
}

/** A client without the vendor's SDK, which would ask for everything correctly. */
async function connect(url: string, options: { readonly [option: string]: unknown } = {}) {
  const received: Received[] = [];
  const socket = new WebSocket(url.replace(/^http/, "ws"), options);
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  socket.on("message", (data) => received.push(JSON.parse(String(data))));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  onTestFinished(() => socket.terminate());
  return { socket, closed, received, send: (message: object) => socket.send(JSON.stringify(message)) };
}

/** 400 ms of speech and 800 ms of silence as PCM16. */
function utterance(sampleRate: number): Buffer[] {
  const sounds = [tone(300, { durationMs: 400, sampleRate }), silence({ durationMs: 800, sampleRate })];
  return sounds.map(({ samples }) => Buffer.from(encodePcm16(samples)));
}

const reply = () => ({ speech: tone(300, { durationMs: 200, sampleRate: 24_000 }), transcript: "hello" });

async function connectOpenAI() {
  const openai = await startFakeOpenAI({ reply });
  onTestFinished(() => openai.close());
  const headers = { authorization: `Bearer ${openai.env.OPENAI_API_KEY}` };
  const client = await connect(`${openai.env.OPENAI_BASE_URL}/realtime`, { headers, ca: openai.certificate });
  let markers = 0;
  return {
    ...client,
    update: (audio: object) => client.send({ type: "session.update", session: { type: "realtime", audio } }),
    say() {
      for (const pcm of utterance(24_000))
        client.send({ type: "input_audio_buffer.append", audio: pcm.toString("base64") });
    },
    /** Waits until the server has handled what was sent. */
    async handled() {
      const type = `marker ${++markers}`;
      client.send({ type });
      await expect
        .poll(() => client.received.map(({ error }) => error?.message))
        .toContain(`Invalid value: '${type}'.`);
    },
    types: () => client.received.map(({ type }) => type),
    codes: () => client.received.flatMap(({ error }) => error?.code ?? []),
  };
}

test("OpenAI without voice detection waits until the client commits the audio and asks for a response", async () => {
  const { update, say, send, handled, types, codes } = await connectOpenAI();
  update({ input: { turn_detection: null } });
  send({ type: "input_audio_buffer.commit" });
  say();
  await handled();
  expect(codes()).toContain("input_audio_buffer_commit_empty");
  const before = ["session.created", "session.updated", "error", "error"];
  expect(types()).toEqual(before);
  send({ type: "input_audio_buffer.commit" });
  await handled();
  const committed = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"];
  expect(types()).toEqual([...before, ...committed, "error"]);
  send({ type: "response.create" });
  await expect.poll(types).toContain("response.done");
});

test("OpenAI drops audio that the client clears", async () => {
  const { update, say, send, handled, codes } = await connectOpenAI();
  update({ input: { turn_detection: null } });
  say();
  send({ type: "input_audio_buffer.clear" });
  send({ type: "input_audio_buffer.commit" });
  await handled();
  expect(codes()).toContain("input_audio_buffer_commit_empty");
});

test("OpenAI transcribes the caller only if the session says so", async () => {
  const { update, say, received, types } = await connectOpenAI();
  const transcripts = () => received.filter(({ type }) => type.includes("input_audio_transcription"));
  const responses = () => types().filter((type) => type === "response.done");
  say();
  await expect.poll(responses).toHaveLength(1);
  expect(transcripts()).toEqual([]);
  update({ input: { transcription: { model: "gpt-4o-mini-transcribe" } } });
  say();
  await expect.poll(responses).toHaveLength(2);
  expect(transcripts().at(-1)).toMatchObject({ transcript: "utterance 1" });
});

test("OpenAI keeps the settings that an update does not have", async () => {
  const { update, say, handled, received, types } = await connectOpenAI();
  update({ input: { turn_detection: null, transcription: { model: "whisper-1" } }, output: { voice: "marin" } });
  update({ input: { noise_reduction: null }, output: { speed: 1 } });
  say();
  await handled();
  expect(types()).not.toContain("input_audio_buffer.speech_started");
  expect(received.filter(({ type }) => type === "session.updated").at(-1)?.session?.audio).toEqual({
    input: { turn_detection: null, transcription: { model: "whisper-1" }, noise_reduction: null },
    output: { voice: "marin", speed: 1 },
  });
});

test("OpenAI rejects the output of an unknown function call, and the deletion of an unknown item", async () => {
  const { send, handled, types, codes } = await connectOpenAI();
  const create = (item: object) => send({ type: "conversation.item.create", item });
  create({ type: "function_call_output", call_id: "call_1", output: "{}" });
  send({ type: "conversation.item.delete", item_id: "item_1" });
  await handled();
  expect(codes()).toEqual(["invalid_tool_call_id", "item_delete_invalid_item_id", "invalid_value"]);
  expect(types()).toEqual(["session.created", "error", "error", "error"]);
  create({ id: "item_1", type: "function_call", name: "time", call_id: "call_1", arguments: "{}" });
  create({ type: "function_call_output", call_id: "call_1", output: "{}" });
  send({ type: "conversation.item.delete", item_id: "item_1" });
  await handled();
  expect(codes().slice(3)).toEqual(["invalid_value"]);
  expect(types()).toContain("conversation.item.deleted");
});

async function connectGemini() {
  const gemini = await startFakeGemini({ reply });
  onTestFinished(() => gemini.close());
  const method = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
  const client = await connect(`${gemini.env.GOOGLE_GEMINI_BASE_URL}/ws/${method}?key=${gemini.env.GEMINI_API_KEY}`);
  return {
    ...client,
    say() {
      for (const pcm of utterance(16_000)) client.send({ realtimeInput: { audio: { data: pcm.toString("base64") } } });
    },
    fields: () => client.received.flatMap(({ serverContent, ...others }) => Object.keys(serverContent ?? others)),
  };
}

test("Gemini closes the connection of a client that sends audio before its setup", async () => {
  const { say, closed, received } = await connectGemini();
  say();
  expect(await closed).toBe(1007);
  expect(received).toEqual([]);
});

test.each([
  { setup: {}, optional: [] },
  { setup: { inputAudioTranscription: {} }, optional: ["inputTranscription"] },
  { setup: { outputAudioTranscription: {} }, optional: ["outputTranscription"] },
  { setup: { sessionResumption: {} }, optional: ["sessionResumptionUpdate"] },
])(
  "Gemini sends transcripts and session handles only if the setup requests them: $setup",
  async ({ setup, optional }) => {
    const { send, say, fields } = await connectGemini();
    send({ setup: { model: "models/gemini", ...setup } });
    say();
    const asked = ["inputTranscription", "outputTranscription", "sessionResumptionUpdate"];
    await expect.poll(fields).toContain("turnComplete");
    send({ realtimeInput: { text: "hello" } });
    await expect.poll(() => fields().filter((field) => field === "turnComplete")).toHaveLength(2);
    expect(asked.filter((field) => fields().includes(field))).toEqual(optional);
  },
);

test("Gemini speaks one turn at a time, also when several texts arrive at once", async () => {
  const { send, fields } = await connectGemini();
  send({ setup: { model: "models/gemini" } });
  for (const text of ["one", "two", "three"]) send({ realtimeInput: { text } });
  const countOf = (field: string) => fields().filter((each) => each === field).length;
  await expect.poll(() => countOf("turnComplete")).toBe(3);
  expect([countOf("interrupted"), countOf("generationComplete")]).toEqual([2, 1]);
});

test.each([
  { query: "&interim_results=true", finals: [false, true] },
  { query: "&interim_results=false", finals: [true] },
  { query: "", finals: [true] },
])("Deepgram sends interim results only if the client requests them: $query", async ({ query, finals }) => {
  const deepgram = await startFakeDeepgram({ transcribe: () => "hello" });
  onTestFinished(() => deepgram.close());
  const headers = { authorization: `Token ${deepgram.env.DEEPGRAM_API_KEY}` };
  const url = `${deepgram.env.DEEPGRAM_BASE_URL}/v1/listen?encoding=linear16&sample_rate=16000${query}`;
  const { socket, send, received } = await connect(url, { headers });
  for (const pcm of utterance(16_000)) socket.send(pcm);
  send({ type: "Finalize" });
  await expect.poll(() => received.at(-1)?.from_finalize).toBe(true);
  expect(received.map((result) => result.is_final)).toEqual(finals);
});
