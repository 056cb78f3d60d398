import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { callMachine, fakeCallMachine, type ScriptedPage } from "./caller-page.ts";

/** The path of Firefox. Without it, tests that need it are skipped: an installed one may be in a sandbox that hides its profile. */
export const firefoxProgram: string | undefined = process.env.PIPECAT_FIREFOX || undefined;

/** A page in Firefox. */
export interface FirefoxPage extends AsyncDisposable {
  readonly page: ScriptedPage;
}

/** The settings of a Firefox with fake devices that contacts this machine only: all other hosts are behind a closed port. */
function settings(voiceHz: number): string {
  const values = {
    "media.navigator.permission.disabled": true,
    "media.navigator.streams.fake": true,
    "media.navigator.audio.fake_frequency": voiceHz,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "browser.shell.checkDefaultBrowser": false,
    "datareporting.policy.dataSubmissionEnabled": false,
  };
  return Object.entries(values)
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join("");
}

/**
 * Starts a Firefox whose microphone is a tone of this pitch, with one page. Controls it with WebDriver BiDi. Without an audio device,
 * Firefox decodes what it receives, but starts no `AudioContext`. The page gets a fake of the script that daily-js loads.
 */
export async function startFirefox(voiceHz: number): Promise<FirefoxPage> {
  if (firefoxProgram === undefined) throw new Error("Set PIPECAT_FIREFOX=/path/to/firefox.");
  const profile = await mkdtemp(join(tmpdir(), "firefox-"));
  await writeFile(join(profile, "user.js"), settings(voiceHz));
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"];
  const firefox = spawn(firefoxProgram, args, { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(firefox, "exit");
  async function stop(): Promise<void> {
    firefox.kill("SIGKILL");
    await exited;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  try {
    const session = await openSession(await readAddress(firefox.stderr));
    const { contexts } = await session.send<{ contexts: { context: string }[] }>("browsingContext.getTree", {});
    const context = contexts[0]?.context;
    await session.fake(callMachine, await readFile(fakeCallMachine, "utf8"));
    return { page: createPage(session, context), [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address of WebDriver BiDi, which Firefox prints. */
async function readAddress(output: NodeJS.ReadableStream): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  createInterface(output)
    .on("line", (line) => {
      const [, address] = line.match(/WebDriver BiDi listening on (ws:\S+)/) ?? [];
      if (address !== undefined) resolve(address);
    })
    .on("close", () => reject(new Error("Firefox did not start.")));
  return await promise;
}

interface Session {
  send<T>(method: string, params: object): Promise<T>;
  /** Answers requests for a script of another host. */
  fake(url: string, script: string): Promise<void>;
}

/** https://w3c.github.io/webdriver-bidi/ */
async function openSession(address: string): Promise<Session> {
  const socket = new WebSocket(`${address}/session`);
  await once(socket, "open");
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  socket.on("message", (data) => {
    const { id, result, message, method, params } = JSON.parse(String(data));
    if (method === "network.beforeRequestSent") return answer(params.request);
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (result === undefined) reject?.(new Error(message));
    else resolve?.(result);
  });
  socket.on("close", () => {
    for (const { reject } of waiting.values()) reject(new Error("Firefox has closed the session."));
  });
  let count = 0;
  async function send<T>(method: string, params: object): Promise<T> {
    const id = ++count;
    const answered = Promise.withResolvers<unknown>();
    waiting.set(id, answered);
    socket.send(JSON.stringify({ id, method, params }));
    return (await answered.promise) as T;
  }
  const scripts = new Map<string, string>();
  function answer({ request, url }: { readonly request: string; readonly url: string }): void {
    const script = scripts.get(url);
    if (script === undefined) return;
    const header = (name: string, value: string) => ({ name, value: { type: "string", value } });
    const headers = [header("access-control-allow-origin", "*"), header("content-type", "text/javascript")];
    const body = { type: "string", value: script };
    void send("network.provideResponse", { request, statusCode: 200, reasonPhrase: "OK", headers, body });
  }

  await send("session.new", { capabilities: {} });
  return {
    send,
    async fake(url, script) {
      scripts.set(url, script);
      await send("session.subscribe", { events: ["network.beforeRequestSent"] });
      const urlPatterns = [{ type: "string", pattern: url }];
      await send("network.addIntercept", { phases: ["beforeRequestSent"], urlPatterns });
    },
  };
}

interface Evaluated {
  readonly result?: { readonly value: string };
  readonly exceptionDetails?: { readonly text: string };
}

function createPage({ send }: Session, context: string | undefined): ScriptedPage {
  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await send<Evaluated>("script.evaluate", {
      expression: `(async () => JSON.stringify((await (${expression})) ?? null))()`,
      target: { context },
      awaitPromise: true,
      userActivation: true,
    });
    if (result === undefined) throw new Error(`${expression}: ${exceptionDetails?.text}`);
    return JSON.parse(result.value) as T;
  }
  return {
    evaluate,
    goto: (url) => send("browsingContext.navigate", { context, url, wait: "complete" }),
    async waitForFunction(expression) {
      const deadline = performance.now() + 30_000;
      while (!(await evaluate<boolean>(`Boolean(${expression})`))) {
        if (performance.now() > deadline) throw new Error(`Not true within 30 s: ${expression}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}
