import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { codeBlocks, isExcerpt, readText, root } from "./markdown.ts";
import { pages } from "./pages.ts";

// Type-checks the code blocks of all pages at once. A page may leave out what `assumed` declares.

/** The test of docs/writing-a-transport.md builds the package of that page. */
const elsewhere: readonly string[] = ["docs/writing-a-transport.md"];
const files = [
  ...new Set([...pages.map(({ file }) => file), "README.md", ...globSync("packages/*/README.md", { cwd: root })]),
];

/** The names that code blocks use without declaring them. */
const assumed = `
import type { Call, FileStorage, MediaPort, RunnerContext, TransportPlugin } from "@pipecat-ts/runner-core";
import type { Carrier } from "@pipecat-ts/runner-telephony";
import type { BotCall, Invitation } from "@pipecat-ts/runner-testing";
import type { CallsOptions, CallerOffer } from "@pipecat-ts/runner-webrtc";
import type {} from "@pipecat-ts/runner-daily";
import type {} from "@pipecat-ts/runner-livekit";
import type {} from "@pipecat-ts/runner-telephony-exotel";
import type {} from "@pipecat-ts/runner-telephony-plivo";
import type {} from "@pipecat-ts/runner-telephony-telnyx";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import type {} from "@pipecat-ts/runner-telephony-vonage";
import type {} from "@pipecat-ts/runner-websocket";
import type * as media from "@pipecat-ts/runner-media";
import type * as daily from "@pipecat-ts/runner-daily";
import type * as webrtc from "@pipecat-ts/runner-webrtc";
import type * as testing from "@pipecat-ts/runner-testing";
import type * as pipecat from "pipecat-runner";
import type * as vitest from "vitest";

declare global {
  // Imports that a fragment leaves out.
  const { createRTVI, createRunner, createTransport, recordCall }: typeof pipecat;
  const { connectDaily }: typeof daily;
  const { createPacer, createWebRTCConnection, openCalls }: typeof webrtc;
  const { createStandaloneTransport }: typeof media;
  const { tone }: typeof testing;
  const { expect }: typeof vitest;

  // What a bot and a test have.
  const args: pipecat.RunnerArguments;
  const bot: pipecat.Bot;
  const transport: pipecat.Transport & import("@pipecat-ts/runner-telephony").PhoneTransport;
  const rtvi: pipecat.RTVI;
  const logger: pipecat.Logger;
  const pcm: Uint8Array;
  const call: BotCall;
  const plugins: readonly TransportPlugin[];
  const websocket: TransportPlugin;
  const fileStorage: FileStorage;

  // What plugins have.
  const runner: RunnerContext;
  const offer: CallerOffer["sdp"];
  const options: CallsOptions & Carrier["options"];
  const { ids, wire, webhook, signatures, api, dialing }: Required<Carrier>;
  const gatewayOptions: import("@pipecat-ts/runner-gateway").GatewayOptions;
  const secret: string;
  const { earlyEvents, recognizeCall, createCodec }: Carrier["wire"];
  const callData: pipecat.CallData;
  const roomUrl: string;
  const token: string;

  // Functions that the reader writes.
  function answer(...values: readonly unknown[]): Promise<void>;
  function look(picture: Uint8Array): Promise<void>;
  function sendAnswer(sdp: string): Promise<void>;
  function encode(samples: Int16Array): Uint8Array;
  function decode(data: unknown): Int16Array;
  function connectFakePort(call: Call): MediaPort;
  function dial(reply: Invitation["reply"]): Promise<FakeSocket>;
  function connect(url: unknown): Promise<FakeSocket>;
  interface FakeSocket {
    readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
    on(event: "audio", listener: (frame: pipecat.AudioFrame) => void): void;
    on(event: "clear", listener: () => void): void;
    on(event: "message", listener: (message: unknown) => void): void;
    once(event: "close", listener: (value: unknown) => void): void;
    sendAudio(frame: pipecat.AudioFrame): void;
    sendMessage(message: unknown): void;
    write(data: Uint8Array | string): void;
    sayGoodbyeAndClose(): Promise<void>;
    destroy(): void;
  }
}
`;
/** The files that code blocks import. */
const imported: Readonly<Record<string, string>> = {
  "docs/calling-your-bot/bot.ts": 'export declare const bot: import("pipecat-runner").Bot;',
  "packages/runner-testing/README/bot.ts": 'export declare const bot: import("pipecat-runner").Bot;',
  "packages/runner-testing/README/plugin.ts":
    'declare const plugin: import("@pipecat-ts/runner-core").TransportPlugin;\nexport default plugin;',
};

const folder = realpathSync(mkdtempSync(join(tmpdir(), "runner-docs-")));
afterAll(() => rmSync(folder, { recursive: true }));

function link(target: string, name: string): void {
  const path = join(folder, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** Where a dependency of some package of the repository is installed. */
function findPackage(name: string): string {
  const [found] = globSync(`{packages,e2e}/{*/,}node_modules/${name}`, { cwd: root });
  if (found === undefined) throw new Error(`${name} is not installed.`);
  return realpathSync(join(root, found));
}

test("the code blocks of all pages compile under strict settings", () => {
  for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
    link(join(root, dirname(manifest)), JSON.parse(readText(manifest)).name);
  }
  for (const name of ["pino", "typebox", "vitest", "ws", "@types/ws"]) link(findPackage(name), name);

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  let count = 0;
  for (const file of files.filter((each) => !elsewhere.includes(each))) {
    for (const { language, code, line } of codeBlocks(readText(file))) {
      if (language !== "ts" || isExcerpt(code)) continue;
      // The line numbers of errors are those of the page.
      write(`${file.replace(/\.md$/, "")}/line-${line}.ts`, `${"\n".repeat(line - 1)}${code}export {};\n`);
      count++;
    }
  }
  expect(count).toBeGreaterThan(40);
  for (const [path, text] of Object.entries(imported)) write(path, text);
  write("assumed.d.ts", assumed);
  write("package.json", '{"type":"module"}');
  const typeRoots = [join(root, "node_modules/@types")];
  const compilerOptions = { isolatedDeclarations: false, noUnusedLocals: false, typeRoots };
  write(
    "tsconfig.json",
    JSON.stringify({ extends: join(root, "tsconfig.base.json"), compilerOptions, include: ["**/*.ts"] }),
  );
  const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder, "--pretty", "false"], { encoding: "utf8" });
  expect([tsc.stdout, tsc.status]).toEqual(["", 0]);
});
