import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport, type FileStorage } from "@pipecat-ts/runner-core";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { createRunner } from "@pipecat-ts/runner-host";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { createRTVI } from "pipecat-runner";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { createRecordedLog } from "../packages/runner-sessions/src/test/fixture.ts";
import { createDecoder, encodeMessage } from "../packages/runner-websocket/src/codec.ts";

const fileStorage: FileStorage = {
  save: () => Promise.reject(new Error("unused")),
  load: () => Promise.reject(new Error("unused")),
  delete: () => Promise.resolve(),
};

test("/start tells WebRTC clients where to upload, and WebSocket clients, which reject unknown keys, only the URL", async () => {
  const plugins = [webrtc, websocket, twilio] as never[];
  const runner = createRunner({
    bot: () => undefined,
    plugins,
    port: 0,
    fileStorage,
    env: {},
    logger: createRecordedLog(),
  });
  await runner.listen();
  async function start(transport: string): Promise<unknown> {
    const response = await fetch(new URL("/start", runner.url), {
      method: "POST",
      body: JSON.stringify({ transport }),
    });
    return await response.json();
  }
  const { sessionId, fileUploadUrl } = (await start("webrtc")) as { sessionId: string; fileUploadUrl: string };
  expect(fileUploadUrl).toBe(`/sessions/${sessionId}/files`);
  expect(await start("websocket")).toEqual({ wsUrl: expect.any(String) });
  expect(await start("twilio")).toEqual({ wsUrl: expect.any(String) });
  await runner.close();
});

test.each(["protobuf", "json"] as const)("a WebSocket caller uploads a file and sends it in %s", async (format) => {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-uploads-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const runner = createRunner({
    async bot(args) {
      const transport = await createTransport(args, { websocket: () => ({}) });
      const rtvi = createRTVI(transport);
      rtvi.on("sendFile", async ({ content, name, load }) => {
        const bytes = await load(args.fileStorage);
        if (bytes) void rtvi.sendServerMessage({ content, name, text: Buffer.from(bytes).toString() });
      });
      await transport.closed;
    },
    plugins: [websocket],
    port: 0,
    fileStorage: createFileStorage({ folder }),
    env: {},
    logger: createRecordedLog(),
  });
  await runner.listen();
  onTestFinished(() => runner.close());

  async function connect() {
    const started = await fetch(new URL("/start", runner.url), { method: "POST", body: '{"transport": "websocket"}' });
    const socket = new WebSocket(((await started.json()) as { wsUrl: string }).wsUrl);
    onTestFinished(() => socket.terminate());
    const answers: unknown[] = [];
    const decoder = createDecoder(() => undefined);
    socket.on("message", (data, isBinary) => {
      const frame = decoder.decode(data as Buffer, isBinary);
      if (frame?.kind === "message") answers.push(frame.message);
    });
    await once(socket, "open");
    const send = (type: string, id: string, data: unknown) => {
      const message = { label: "rtvi-ai", type, id, data };
      socket.send(format === "json" ? JSON.stringify(message) : encodeMessage(message));
    };
    send("client-ready", "ready", { version: "2.2.0" });
    return { send, answers, id: started.headers.get("x-session-id") };
  }

  const [caller, other] = [await connect(), await connect()];
  const body = new FormData();
  body.set("file", new Blob(["hello"]), "note.txt");
  const upload = await fetch(new URL(`/sessions/${caller.id}/files`, runner.url), { method: "POST", body });
  const file = (await upload.json()) as { name: string };
  caller.send("send-file", "f1", { content: "Read it.", file });
  await expect
    .poll(() => caller.answers[1])
    .toMatchObject({
      type: "server-message",
      data: { content: "Read it.", name: "note.txt", text: "hello" },
    });

  other.send("send-file", "f2", { content: "Read it.", file });
  const unknown = { format: "x", source: { type: "url", url: "pipecat:nothing" } };
  other.send("send-file", "f3", { content: "", file: unknown });
  other.send("send-file", "f4", { content: "", file: { format: "x", source: { bytes: "A".repeat(1_000_004) } } });
  const bytes = Buffer.from("bytes").toString("base64");
  other.send("send-file", "f5", { content: "", file: { format: "x", source: { type: "bytes", bytes } } });
  const refusal = (id: string, error: string) => ({
    type: "error-response",
    id,
    data: { error: expect.stringContaining(error) },
  });
  await expect.poll(() => other.answers.length).toBe(5);
  expect(other.answers.slice(1)).toEqual(
    expect.arrayContaining([
      expect.objectContaining(refusal("f2", "does not exist in this session. Upload it")),
      expect.objectContaining(refusal("f3", "does not exist in this session. Upload it")),
      expect.objectContaining(refusal("f4", "data.file.source.bytes must not have more than 1000000 characters. Send")),
      expect.objectContaining({ type: "server-message", data: { content: "", text: "bytes" } }),
    ]),
  );
});
