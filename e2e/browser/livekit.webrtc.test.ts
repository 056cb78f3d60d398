import type { AudioFrame } from "@pipecat-ts/audio";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import type { LiveKitTransport } from "@pipecat-ts/runner-livekit";
import livekit from "@pipecat-ts/runner-livekit/plugin";
import { createRecordingLogger, excerpt, join, measurePitch, syllables, until } from "@pipecat-ts/runner-testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { account, serverProgram, startLiveKitServer } from "../../packages/runner-livekit/src/test/livekit-server.ts";
import { openCallerPage } from "./caller-page.ts";
import { startBrowser } from "./chromium.ts";
import { usePublishedClient } from "./published-client.ts";

const addPage = usePublishedClient("livekit.html");
const callerHz = 220;
const botHz = 330;

describe.skipIf(serverProgram === undefined)("LiveKit's client in Chromium", () => {
  test("the page and the bot hear each other, and messages pass both ways", async () => {
    await using server = await startLiveKitServer();
    await using running = await startBrowser(callerHz);
    const { promise, resolve } = Promise.withResolvers<LiveKitTransport>();
    const runner = createRunner({
      async bot(args) {
        if (args.transport !== "livekit") return;
        const transport = await createTransport(args, { livekit: () => ({}) });
        resolve(transport);
        await transport.closed;
      },
      plugins: [livekit],
      pluginOptions: { livekit: { url: server.url, ...account } },
      host: "127.0.0.1",
      port: 0,
      env: {},
      logger: createRecordingLogger(),
    });
    addPage(runner);
    await runner.listen();
    onTestFinished(() => runner.close());

    const caller = await openCallerPage(running.browser, runner.url.origin);
    await caller.page.goto(`${runner.url.origin}/mine/livekit.html`);
    await caller.page.waitForFunction("globalThis.startBot");
    await caller.page.evaluate("startBot()");
    const transport = await promise;
    const heard: AudioFrame[] = [];
    const received: unknown[][] = [];
    const events: string[] = [];
    transport.on("appMessage", (...args) => void received.push(args));
    transport.on("clientConnected", () => void events.push("clientConnected"));
    transport.on("clientDisconnected", (reason) => void events.push(reason));
    void transport.listen().pipeTo(new WritableStream({ write: (frame) => void heard.push(frame) }));
    await until("the caller is connected", () => events.length > 0, 10_000);

    const playback = transport.play(speech());
    await until("the bot has heard 3 s", () => heard.length >= 150, 20_000);
    expect(measurePitch(excerpt(join(heard), 1_000, 3_000))).toBeCloseTo(callerHz, -1);
    expect(measurePitch(await caller.last("played", 1_500))).toBeCloseTo(botHz, -1);
    await playback.done;

    await caller.page.evaluate(`sendMessage({ type: "question" })`);
    await until("the message arrives", () => received.length > 0, 10_000);
    const [identity] = [...transport.participants.keys()];
    expect(received).toEqual([[{ type: "question" }, identity]]);
    await transport.sendMessage({ type: "answer" });
    await caller.page.waitForFunction("messages.some(({ message }) => message.type === 'answer')");
    expect(await caller.page.evaluate("messages.at(-1)")).toEqual({ message: { type: "answer" }, isAgent: true });

    await caller.page.evaluate("room.disconnect()");
    await until("the session ends", () => [...runner.sessions].length === 0, 10_000);
    expect(events).toEqual(["clientConnected", "caller-left"]);
    await caller.close();
  });
});

async function* speech() {
  yield syllables(botHz, { durationMs: 8_000, sampleRate: 24_000 });
}
