/**
 * Creates a project of each template from the packed packages, as `npm create pipecat-bot` does. Installs, starts and calls it: a
 * simulated caller must hear the bot. Prints the times, and the size of the installation. Run after `pnpm build`. Arguments: the
 * templates to check, by default all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cut,
  excerpt,
  findVoice,
  join as joinFrames,
  measurePitch,
  tone,
  until,
} from "../packages/runner-testing/src/index.ts";
import { startFakeDeepgram } from "../packages/runner-testing/src/vendors/deepgram.ts";
import { startFakeElevenLabs } from "../packages/runner-testing/src/vendors/elevenlabs.ts";
import { startFakeGemini } from "../packages/runner-testing/src/vendors/gemini.ts";
import { startFakeOpenAI } from "../packages/runner-testing/src/vendors/openai.ts";
import { startFakeChat } from "../packages/runner-testing/src/vendors/openai-chat.ts";
import { connectCaller } from "../packages/runner-websocket/src/caller.ts";
import { type Package, packAll, run, useTarballs } from "./tarballs.ts";

const temporary = mkdtempSync(join(tmpdir(), "pipecat-templates-"));
/** The pitches of the caller's and the vendors' voices, in Hz. */
const callerHz = 440;
const vendorHz = 660;

/** What a bot of a template needs, and what its caller hears. */
interface Expectation {
  readonly heardHz: number;
  readonly env?: Readonly<Record<string, string>>;
  close?(): Promise<void>;
}

const bots: Readonly<Record<string, () => Promise<Expectation>>> = {
  echo: async () => ({ heardHz: callerHz }),
  cascade: async () => {
    const services = await Promise.all([
      startFakeDeepgram(),
      startFakeChat({ reply: () => ({ text: "Nice to meet you." }) }),
      startFakeElevenLabs({ synthesize: () => tone(vendorHz, { durationMs: 2_000, sampleRate: 24_000 }) }),
    ]);
    const env = Object.assign({}, ...services.map((service) => service.env));
    return {
      heardHz: vendorHz,
      env,
      close: async () => void (await Promise.all(services.map(({ close }) => close()))),
    };
  },
  gemini: async () => {
    const gemini = await startFakeGemini({
      reply: () => ({ speech: tone(vendorHz, { durationMs: 2_000, sampleRate: 24_000 }), transcript: "Hello." }),
    });
    return { heardHz: vendorHz, env: gemini.env, close: gemini.close };
  },
  realtime: async () => {
    const openai = await startFakeOpenAI({
      reply: () => ({ speech: tone(vendorHz, { durationMs: 2_000, sampleRate: 24_000 }), transcript: "Hello." }),
    });
    const certificate = join(temporary, "certificate.pem");
    writeFileSync(certificate, openai.certificate);
    return { heardHz: vendorHz, env: { ...openai.env, NODE_EXTRA_CA_CERTS: certificate }, close: openai.close };
  },
};

async function check(template: string, packages: readonly Package[], command: string): Promise<string> {
  const startedAt = performance.now();
  const expectBot = bots[template];
  const manager = template === "gemini" ? "pnpm" : "npm";
  const transports = expectBot ? ["--transports", "websocket"] : [];
  await run(
    process.execPath,
    [command, `a-${template}`, "--template", template, "--manager", manager, ...transports, "--no-install"],
    temporary,
  );
  const project = join(temporary, `a-${template}`);
  useTarballs(project, packages);
  if (manager === "npm") await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund"], project);
  else await run("npx", ["-y", "pnpm@12", "install", "--prefer-offline", "--no-frozen-lockfile"], project);
  const installedMs = performance.now() - startedAt;
  const tsc = join(project, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", "."], project);
  const size = (await run("du", ["-sm", "node_modules"], project)).split("\t")[0];
  const heardMs = expectBot ? await call(project, await expectBot()) : await conform(project);
  const seconds = [installedMs, heardMs].map((ms) => `${(ms / 1000).toFixed(1)} s`);
  return `${template}: installed by ${manager} after ${seconds[0]} (${size} MB), ${expectBot ? "heard" : "conformance suite passed"} after another ${seconds[1]}`;
}

/** Starts the bot, and calls it until its caller hears the expected voice. Returns how long that took, in ms. */
async function call(project: string, { heardHz, env = {}, close }: Expectation): Promise<number> {
  const startedAt = performance.now();
  const program = start(project, env);
  try {
    await until("the runner listens", () => /http:\/\/localhost:\d+/.test(program.printed()), 20_000);
    const [, port] = program.printed().match(/http:\/\/localhost:(\d+)/) ?? [];
    const caller = await connectCaller(`ws://localhost:${port}/ws-client`);
    const speech = cut(tone(callerHz, { durationMs: 1_000 }));
    const microphone = setInterval(() => {
      const frame = speech.shift() ?? tone(callerHz, { durationMs: 20, levelDb: -90 });
      caller.sendAudio(frame);
    }, 20);
    const heard = () => {
      const audio = joinFrames(caller.playout.played().map(({ frame }) => frame));
      const { fromMs, toMs } = findVoice(audio) ?? { fromMs: 0, toMs: 0 };
      return toMs - fromMs >= 300 && Math.abs((measurePitch(excerpt(audio, toMs - 200, toMs)) ?? 0) - heardHz) < 10;
    };
    try {
      await until(`the caller hears ${heardHz} Hz`, heard, 15_000);
    } finally {
      clearInterval(microphone);
      await caller.hangUp();
    }
    return performance.now() - startedAt;
  } catch (error) {
    throw new Error(`${error}\n${program.printed()}`, { cause: error });
  } finally {
    program.process.kill("SIGINT");
    await program.ended;
    await close?.();
  }
}

function start(project: string, env: Readonly<Record<string, string>>) {
  const bin = join(project, "node_modules/pipecat-runner/dist/main.js");
  const process_: ChildProcess = spawn(process.execPath, [bin, "--port", "0"], {
    cwd: project,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [process_.stdout, process_.stderr])
    stream?.setEncoding("utf8").on("data", (part) => (text += part));
  return { process: process_, ended: once(process_, "exit"), printed: () => text };
}

async function conform(project: string): Promise<number> {
  const startedAt = performance.now();
  await run("npm", ["test"], project);
  return performance.now() - startedAt;
}

try {
  const packages = await packAll(join(temporary, "tarballs"));
  const creator = join(temporary, "creator");
  mkdirSync(creator);
  const tarball = packages.find(({ name }) => name === "create-pipecat-bot")?.tarball ?? "";
  writeFileSync(join(creator, "package.json"), "{}");
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], creator);
  const command = join(creator, "node_modules/create-pipecat-bot/dist/main.js");
  const catalog = JSON.parse(
    readFileSync(join(creator, "node_modules/create-pipecat-bot/dist/templates.json"), "utf8"),
  );
  const all: readonly string[] = catalog.templates.map(({ name }: { readonly name: string }) => name);
  const chosen = process.argv.slice(2);
  for (const template of all) {
    if (chosen.length === 0 || chosen.includes(template)) console.log(await check(template, packages, command));
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
