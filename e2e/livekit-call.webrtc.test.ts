import { join } from "node:path";
import { createRunner } from "@pipecat-ts/runner-host";
import plugin from "@pipecat-ts/runner-livekit/plugin";
import { countSettledResources, createRecordingLogger, settleResources, until } from "@pipecat-ts/runner-testing";
import { createTransport } from "pipecat-runner";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { callCommand } from "../packages/runner-cli/src/call/call-command.ts";
import { account, serverProgram, startLiveKitServer } from "../packages/runner-livekit/src/test/livekit-server.ts";
import { countSdkListeners } from "../packages/runner-livekit/src/test/sdk-listeners.ts";

// `pipecat-runner call livekit` against a LiveKit server. The runner is in this process.

const server = serverProgram === undefined ? undefined : await startLiveKitServer();
afterAll(() => server?.[Symbol.asyncDispose]());
afterEach(() => void vi.restoreAllMocks());
const folder = join(import.meta.dirname, "../apps/echo-bot");

test.skipIf(server === undefined)(
  "calls at once are answered, the bot is heard, and neither side holds anything afterwards",
  async (context) => {
    const logger = createRecordingLogger();
    const runner = createRunner({
      async bot(args) {
        if (args.transport !== "livekit") return;
        const transport = await createTransport(args, { livekit: () => ({}) });
        await transport.input.pipeTo(transport.output);
      },
      plugins: [plugin],
      pluginOptions: { livekit: { url: server?.url, ...account } },
      maxSessions: 30,
      host: "127.0.0.1",
      port: 0,
      env: {},
      logger,
    });
    await runner.listen();
    context.onTestFinished(() => runner.close());
    const call = async (...flags: readonly string[]) => {
      let output = "";
      vi.spyOn(process.stdout, "write").mockImplementation((text) => {
        output += String(text);
        return true;
      });
      const code = await callCommand(["livekit", "--url", runner.url.href, "--project", folder, "--json", ...flags]);
      vi.restoreAllMocks();
      await until("all sessions end", () => [...runner.sessions].length === 0, 5_000);
      return { code, ...JSON.parse(output) };
    };
    await call("--hang-up", "300ms"); // loads the SDK
    const [before, listeners] = [await countSettledResources(), countSdkListeners()];
    const { code, answered, failed, calls } = await call("--calls", "4", "--ramp", "20/s", "--hang-up", "8s");
    expect([code, answered, failed]).toEqual([0, 4, 0]);
    for (const { levelDb, end, protocolErrors } of calls) {
      expect([levelDb, end.by, protocolErrors]).toEqual([
        expect.toSatisfy((level) => level !== null && level > -25),
        "caller",
        [],
      ]);
    }
    const reasons = logger.lines.filter(({ message }) => message === "session ended");
    expect(new Set(reasons.map(({ fields }) => Object(fields).reason))).toEqual(new Set(["caller-left"]));
    expect(await settleResources(before, 10_000)).toEqual([]);
    await expect.poll(countSdkListeners).toBeLessThanOrEqual(listeners);
  },
  60_000,
);
