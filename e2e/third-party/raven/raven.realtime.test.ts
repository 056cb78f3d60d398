import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { send, tone, until } from "@pipecat-ts/runner-testing";
import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import { describe, expect, test } from "vitest";
import { startCommand } from "../../server/command.ts";
import { connect } from "./caller.ts";
import { createDecoder, encode, encodeJson, parseJson } from "./codec.ts";
import plugin from "./plugin.ts";

// A transport with a TCP server of its own, as docs/writing-a-transport.md describes it: it uses nothing but that page and the
// published packages.

const adapter = {
  plugin,
  entry: import.meta.resolve("./index.ts"),
  walkIn: true,
  clears: true,
  malformed: [Buffer.from("000000015700", "hex"), Buffer.from("0000000105", "hex"), Buffer.from("ffffffff01", "hex")],
  connect,
};
const apiKey = "an-api-key-of-operators";

describe("by default", () => describeTransport(adapter));
describe("with --ws-auth token", () =>
  describeTransport({ ...adapter, walkIn: false, runner: { webSocketAuth: "token" } }));
describe("with --api-key", () => describeTransport({ ...adapter, runner: { apiKey } }));

test("plugin and codec have at most 200 lines", () => {
  const texts = ["plugin.ts", "codec.ts"].map((file) => readFileSync(join(import.meta.dirname, file), "utf8"));
  expect(texts.join("").split("\n").length).toBeLessThanOrEqual(200);
});

test("packets may be split anywhere", () => {
  const decode = createDecoder();
  const bytes = Buffer.concat([encodeJson("message", "first"), encode("clear"), encodeJson("message", "third")]);
  const packets = [...bytes].flatMap((byte) => decode(Buffer.of(byte)) ?? []);
  expect(packets.map((packet) => parseJson(packet))).toEqual(["first", undefined, "third"]);
});

test("the command finds the transport, prints its port, and admits callers with key and token", async () => {
  const root = join(import.meta.dirname, "../../..");
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "raven-bot-")));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(import.meta.dirname, join(folder, "node_modules/runner-raven"));
  symlinkSync(join(root, "packages/runner-cli"), join(folder, "node_modules/pipecat-runner"));
  writeFileSync(join(folder, "package.json"), '{"type": "module", "dependencies": {"runner-raven": "*"}}');
  writeFileSync(join(folder, "bot.ts"), botText);
  const main = join(root, "packages/runner-cli/src/main.ts");
  const args = [main, join(folder, "bot.ts"), "--port", "0", "--api-key", apiKey, "--ws-auth", "token"];
  const command = await startCommand(args);
  try {
    await until("the banner names the port", () => /raven ready tcp:\S+:\d+/.test(command.printed()), 5_000);
    const port = /tcp:\S+:(\d+)/.exec(command.printed())?.[1];
    const body = { transport: "raven" };
    expect((await send(new URL("/start", command.origin), { method: "POST", body })).status).toBe(401);
    const headers = { authorization: `Bearer ${apiKey}` };
    const { json } = await send(new URL("/start", command.origin), { method: "POST", body, headers });
    const { sessionId, ...reply } = json as Record<string, unknown>;
    expect(String(reply.port)).toBe(port);

    const caller = await connect({ listeners: [], start: { sessionId: String(sessionId), reply } });
    await until("the bot's message arrives", () => caller.messages?.length === 1, 10_000);
    expect(caller.messages).toEqual(["127.0.0.1"]);
    caller.sendAudio(tone(440, { durationMs: 20 }));
    await until("the echo arrives", () => caller.playout.enqueuedMs > 0, 5_000);
    await caller.hangUp();
    await expect(connect({ listeners: [], start: { sessionId: String(sessionId), reply } })).rejects.toThrow("refused");
    await expect(connect({ listeners: [`tcp://127.0.0.1:${port}`] })).rejects.toThrow("refused");
  } finally {
    expect(await command.interrupt()).toBe(0);
    rmSync(folder, { recursive: true });
  }
});

const botText = `
import { createTransport } from "pipecat-runner";
export async function bot(args) {
  const transport = await createTransport(args, { raven: () => ({}) });
  await transport.sendMessage(args.address);
  await transport.input.pipeTo(transport.output);
}
`;
