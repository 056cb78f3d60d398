import type { FileStorage } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, test } from "vitest";
import { createRecordedLog } from "../packages/runner-sessions/src/test/fixture.ts";

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
