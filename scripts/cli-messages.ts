/**
 * `pnpm messages`: prints what the command says as one Markdown document, for a reader who has not seen it before. First what it
 * says in situations that are real: it runs in temporary folders on this machine, and contacts no other. Then the texts of all
 * errors, log lines and reasons in its source.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runnerFlags } from "../packages/runner-host/src/index.ts";
import { findMessageTexts, messageTextsPage } from "./message-texts.ts";

interface Situation {
  readonly title: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The packages that the bot's project has, besides `pipecat-runner`. Default: all. */
  readonly installed?: readonly string[];
  /** Calls a runner that listens, then stops it. Default: stops it at once. */
  readonly call?: readonly string[];
  /** The exit code that scripts rely on: of the call, if there is one. Default 0. */
  readonly exitCode?: number;
}

interface Outcome {
  readonly text: string;
  readonly exitCode: unknown;
}

const root = dirname(import.meta.dirname);
const temporary = realpathSync(mkdtempSync(join(tmpdir(), "pipecat-messages-")));
const transports = [
  ...["webrtc", "websocket", "daily", "livekit", "whatsapp"].map((name) => `runner-${name}`),
  ...["twilio", "telnyx", "plivo", "exotel", "vonage"].map((name) => `runner-telephony-${name}`),
];
/** The variables of the developer that would change what the command prints. */
const vendors = /^(PIPECAT|TWILIO|TELNYX|PLIVO|EXOTEL|VONAGE|DAILY|LIVEKIT|WHATSAPP)_/;
/** How long a runner may print after its URL, in ms. */
const quietMs = 1_000;
const deadlineMs = 60_000;
const busy = createServer();

const files: Readonly<Record<string, string>> = {
  "echo.js": `
    import { createTransport } from "pipecat-runner";
    const audio = () => ({ audioInEnabled: true, audioOutEnabled: true });
    export async function bot(args) {
      const transport = await createTransport(args, { webrtc: audio, websocket: audio, twilio: audio });
      await transport.input.pipeTo(transport.output);
    }`,
  "no-bot.js": "export const answer = 42;",
  "syntax.js": "export const bot = (args) => {",
  "import.js": 'import "a-package-that-is-missing"; export const bot = () => {};',
  "throws.js": 'export async function bot() { throw new Error("The model does not answer."); }',
  "returns.js": "export async function bot() {}",
  "no-params.js": `
    import { createTransport } from "pipecat-runner";
    export const bot = (args) => createTransport(args, {});`,
  "enum.ts": "enum Mood { good }; export const bot = () => {};",
  "needs-key.js": `
    const schema = { type: "string" };
    export const options = { key: { env: "MODEL_API_KEY", description: "API key of the model", required: true, schema } };
    export const bot = () => {};`,
  "common.cjs": "exports.bot = () => {};",
  "cut.jsonl": '{"type":"capture","version":1',
  "empty.jsonl": "",
  "not-audio.wav": "hello",
};

const key = { PIPECAT_RUNNER_API_KEY: "a-key-of-sixteen-letters" };
const situations: readonly Situation[] = [
  { title: "Help", args: ["--help"] },
  ...["call", "replay", "doctor", "types", "fleet"].map((name) => ({ title: `Help: ${name}`, args: [name, "--help"] })),
  { title: "Start with all transports", args: ["echo.js"] },
  { title: "Start with WebRTC only", args: ["echo.js"], installed: ["runner-webrtc"] },
  { title: "Start with one phone carrier only", args: ["echo.js"], installed: ["runner-telephony-twilio"] },
  { title: "Start without a transport", args: ["echo.js"], exitCode: 1, installed: [] },
  { title: "Start with one transport of several", args: ["echo.js", "-t", "twilio"] },
  { title: "Start for the network, without a key", args: ["echo.js", "--host", "0.0.0.0"] },
  { title: "Start for the network, with a key", args: ["echo.js", "--host", "0.0.0.0"], env: key },
  { title: "Start behind a public URL", args: ["echo.js", "--public-url", "https://bots.example.com"], env: key },
  { title: "Start with bots in processes of their own", args: ["echo.js", "--isolation", "process"] },
  { title: "Start without a key that the bot needs", args: ["needs-key.js"] },
  { title: "Start on Pipecat Cloud", args: ["echo.js", "--cloud", "--port", "0"] },
  { title: "A call", args: ["echo.js"], call: ["call", "websocket", "--hang-up", "2s"] },
  { title: "A bot that throws", args: ["throws.js"], exitCode: 1, call: ["call", "websocket", "--hang-up", "2s"] },
  { title: "A bot that returns at once", args: ["returns.js"], call: ["call", "websocket", "--hang-up", "2s"] },
  { title: "A bot without params for the transport", args: ["no-params.js"], exitCode: 1, call: ["call", "websocket"] },
  {
    title: "A call with a wrong key",
    exitCode: 1,
    args: ["echo.js"],
    env: key,
    call: ["call", "websocket", "--api-key", "another-key-of-16-letters"],
  },
  {
    title: "A call that does not meet an expectation",
    exitCode: 1,
    args: ["echo.js"],
    call: ["call", "websocket", "--hang-up", "2s", "--expect", "first-audio<1ms"],
  },
  { title: "Version", args: ["--version"] },
  { title: "No bot", args: [], exitCode: 1 },
  ...["missing.js", "no-bot.js", "syntax.js", "import.js", "enum.ts"].map((file) => ({
    title: `The bot's file: ${file}`,
    args: [file],
    exitCode: 1,
  })),
  { title: "The bot's file: common.cjs", args: ["common.cjs"] },
  { title: "An unknown flag", args: ["echo.js", "--prot", "1"], exitCode: 1 },
  { title: "An unknown transport", args: ["echo.js", "-t", "webrct"], exitCode: 1 },
  {
    title: "A transport that is not installed",
    args: ["echo.js", "-t", "vonage"],
    exitCode: 1,
    installed: ["runner-webrtc"],
  },
  { title: "A flag of a package that is not installed", args: ["echo.js", "--whatsapp"], exitCode: 1, installed: [] },
  ...Object.values(runnerFlags).flatMap(({ flag, schema }) =>
    flag === undefined || schema === undefined
      ? []
      : [{ title: `A wrong --${flag}`, args: ["echo.js", `--${flag}`, "?"], exitCode: 1 }],
  ),
  { title: "A port in use", args: ["echo.js", "--port", "BUSY"], exitCode: 1 },
  { title: "Outbound calls without a key", args: ["echo.js", "--allow-dial", "+1555"], exitCode: 1 },
  { title: "A fleet without its package", args: ["echo.js", "--fleet", "redis://127.0.0.1:1"], exitCode: 1 },
  {
    title: "A fleet without its secret",
    args: ["echo.js", "--fleet", "redis://127.0.0.1:1"],
    exitCode: 1,
    installed: [...transports, "runner-fleet-redis"],
  },
  { title: "Fleet: not named", args: ["fleet"], exitCode: 1 },
  { title: "Fleet: drain without a node", args: ["fleet", "drain", "--fleet", "redis://127.0.0.1:1"], exitCode: 1 },
  { title: "Call: no transport", args: ["call"], exitCode: 1 },
  {
    title: "Call: two sources of audio",
    args: ["call", "websocket", "--wav", "a.wav", "--say", "Hello."],
    exitCode: 1,
  },
  { title: "Call: nothing listens", args: ["call", "websocket", "--url", "http://127.0.0.1:1"], exitCode: 1 },
  { title: "Call: an unknown transport", args: ["call", "nope"], exitCode: 1 },
  { title: "Call: not a WAV file", args: ["call", "websocket", "--wav", "not-audio.wav"], exitCode: 1 },
  { title: "Call: a wrong expectation", args: ["call", "websocket", "--expect", "fast"], exitCode: 1 },
  { title: "Replay: a missing file", args: ["replay", "missing.jsonl", "echo.js"], exitCode: 1 },
  { title: "Replay: a file that is cut off", args: ["replay", "cut.jsonl", "echo.js"], exitCode: 1 },
  { title: "Replay: an empty file", args: ["replay", "empty.jsonl", "echo.js"], exitCode: 1 },
  { title: "Types", args: ["types"] },
  { title: "Types: an argument", args: ["types", "bot.ts"], exitCode: 1 },
  { title: "Doctor", args: ["doctor", "echo.js", "--port", "0"], exitCode: 1 },
  {
    title: "Doctor: a port in use",
    args: ["doctor", "echo.js", "--port", "BUSY"],
    exitCode: 1,
    installed: ["runner-webrtc"],
  },
  {
    title: "Doctor: a bot that cannot be loaded",
    args: ["doctor", "syntax.js", "--port", "0"],
    exitCode: 1,
    installed: [],
  },
];

/** A folder with the files and the packages. */
function createProject(name: string, installed: readonly string[]): string {
  const folder = join(temporary, name);
  mkdirSync(join(folder, "node_modules/@pipecat-ts"), { recursive: true });
  symlinkSync(join(root, "packages/runner-cli"), join(folder, "node_modules/pipecat-runner"));
  for (const each of installed)
    symlinkSync(join(root, "packages", each), join(folder, "node_modules/@pipecat-ts", each));
  const dependencies = Object.fromEntries(
    ["pipecat-runner", ...installed.map((each) => `@pipecat-ts/${each}`)].map((each) => [each, "*"]),
  );
  for (const [path, text] of Object.entries({
    ...files,
    "package.json": JSON.stringify({ type: "module", dependencies }),
  }))
    writeFileSync(join(folder, path), text);
  return folder;
}

/** Runs the command without the settings of the developer, until it has ended. A runner that listens is called and stopped. */
async function run(folder: string, { args, env = {}, call }: Situation): Promise<Outcome> {
  const own = Object.entries(process.env).filter(([name]) => !vendors.test(name));
  const program = [join(root, "packages/runner-cli/src/main.ts"), ...args];
  const options = { cwd: folder, env: { ...Object.fromEntries(own), ...env, NO_COLOR: "1" } };
  const child = spawn(process.execPath, program, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  let printed = "";
  let caller: Promise<Outcome | undefined> | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      const [url] = /http:\/\/localhost:\d+/.exec(printed) ?? [];
      if (url === undefined || caller || args[0] === "call") return;
      const calling = { title: "", args: [...(call ?? []), "--url", url] };
      caller = call ? run(folder, calling) : sleep(quietMs, undefined);
      void caller.finally(() => child.kill("SIGINT"));
    });
  }
  const deadline = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  const [exitCode] = await closed;
  clearTimeout(deadline);
  const called = await caller;
  const text = `$ pipecat-runner ${args.join(" ")}\n${printed.trimEnd()}\nexit code ${exitCode}\n${called?.text ?? ""}`;
  return { text, exitCode: called?.exitCode ?? exitCode };
}

/** The situations with another exit code than the one in the list. */
const unexpected: string[] = [];
busy.listen(0, "127.0.0.1");
await once(busy, "listening");
const { port } = busy.address() as AddressInfo;
try {
  for (const [number, situation] of situations.entries()) {
    const folder = createProject(String(number), situation.installed ?? transports);
    const args = situation.args.map((arg) => (arg === "BUSY" ? String(port) : arg));
    const { text, exitCode } = await run(folder, { ...situation, args });
    if (exitCode !== (situation.exitCode ?? 0)) unexpected.push(`${situation.title}: ${exitCode}`);
    const shown = text.replaceAll(folder, "~/bot").replaceAll(root, "~/pipecat-runner");
    console.log(`## ${situation.title}\n\n\`\`\`\n${shown}\`\`\`\n`);
  }
  console.log(messageTextsPage(findMessageTexts()));
  if (unexpected.length > 0) throw new Error(`The exit code is not the expected one:\n${unexpected.join("\n")}`);
} finally {
  busy.close();
  rmSync(temporary, { recursive: true });
}
