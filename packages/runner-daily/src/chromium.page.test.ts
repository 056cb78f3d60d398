import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countResources, settleResources, until, within } from "@pipecat-ts/runner-testing";
import { afterEach, expect, test, vi } from "vitest";
import { type Chromium, findChromium, launchChromium, sandboxFlags } from "./chromium.ts";
import { browserProcesses, browserProfiles, useOwnTemporaryFolder } from "./test/browser-processes.ts";

const program = findChromium(process.env.PIPECAT_CHROMIUM, process.env.PATH ?? "");
const running: Chromium[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((chromium) => chromium.kill()));
  vi.unstubAllEnvs();
});

async function launch(): Promise<Chromium> {
  const chromium = await launchChromium(program);
  running.push(chromium);
  return chromium;
}

test("kill leaves no process, no profile and no open handle", async () => {
  const before = countResources();
  const chromium = await launch();
  expect(browserProfiles()).toHaveLength(1);
  await until("its processes run", () => browserProcesses().length > 2, 10_000);
  await Promise.all([chromium.kill(), chromium.kill()]);
  expect(browserProfiles()).toEqual([]);
  await until("its processes are gone", () => browserProcesses().length === 0, 2_000);
  expect(await settleResources(before)).toEqual([]);
});

test("a browser that ends on its own is cleaned up, and its exit status is reported", async () => {
  const chromium = await launch();
  await until("its processes run", () => browserProcesses().length > 0, 10_000);
  const [first] = browserProcesses();
  process.kill(Number(first?.pid), "SIGKILL");
  expect(await within("it has ended", chromium.ended, 5_000)).toMatch(/^it ended with SIGKILL/);
  await until("all processes are gone", () => browserProcesses().length === 0 && browserProfiles().length === 0, 5_000);
});

test("a browser ends when its parent process is killed", async () => {
  useOwnTemporaryFolder();
  const script = `
    const { launchChromium } = await import(${JSON.stringify(new URL("chromium.ts", import.meta.url).href)});
    (await launchChromium(${JSON.stringify(program)})).open("about:blank");
    console.log("launched");`;
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(parent.stdout, "data");
  const pid = Number(parent.pid);
  await until("the browser runs", () => browserProcesses(pid).length > 2, 10_000);
  parent.kill("SIGKILL");
  await until("all processes are gone", () => browserProcesses(pid).length === 0, 5_000);
  expect(browserProfiles(pid)).toHaveLength(1);
  await launch();
  expect([browserProfiles(pid), browserProfiles().length]).toEqual([[], 1]);
});

test("nothing is left in the temporary folder, where browsers create more than a profile", async () => {
  const folder = useOwnTemporaryFolder();
  const chromium = await launch();
  const lockExists = () => readdirSync(String(browserProfiles()[0])).includes("SingletonSocket");
  await until("the lock exists", lockExists, 10_000);
  expect(readdirSync(folder)).toHaveLength(2);
  await chromium.kill();
  expect(readdirSync(folder)).toEqual([]);
});

test("a browser gets none of this process's secrets", async () => {
  vi.stubEnv("DAILY_API_KEY", "a-key-of-an-account");
  await launch();
  await until("its processes run", () => browserProcesses().length > 2, 10_000);
  const environment = readFileSync(`/proc/${browserProcesses()[0]?.pid}/environ`, "utf8");
  expect(environment).toContain(`PATH=${process.env.PATH}`);
  expect(environment).not.toMatch(/DAILY|a-key-of-an-account|VITEST/);
});

test("no process has the URL of the page in its arguments, and only root runs without the sandbox", async () => {
  const chromium = await launch();
  chromium.open("http://127.0.0.1:1/a-secret-path/");
  await until("the renderer runs", () => browserProcesses().some(({ args }) => /type=renderer/.test(args)), 10_000);
  const all = browserProcesses()
    .map(({ args }) => args)
    .join("\n");
  expect(all).not.toContain("a-secret-path");
  expect(all.includes("--no-sandbox")).toBe(process.getuid?.() === 0);
  expect([sandboxFlags(0), sandboxFlags(1_000), sandboxFlags(undefined)]).toEqual([["--no-sandbox"], [], []]);
});

test("too few file descriptors are DAILY_BROWSER_MISSING, and leave no profile", async () => {
  const script = `
    const { openSync } = await import("node:fs");
    const { launchChromium } = await import(${JSON.stringify(new URL("chromium.ts", import.meta.url).href)});
    for (;;) try { openSync("/dev/null") } catch { break }
    console.log(await launchChromium(${JSON.stringify(program)}).catch(({ code, message }) => code + ": " + message));`;
  const limited = `ulimit -n 60; exec "$0" --input-type=module --eval "$1"`;
  const child = spawn("sh", ["-c", limited, process.execPath, script], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const output = String(Buffer.concat(await child.stdout.toArray()));
  await ended;
  expect(output).toMatch(/^DAILY_BROWSER_MISSING: .* could not be started: .*EMFILE/);
  expect([child.exitCode, browserProfiles(child.pid)]).toEqual([0, []]);
});

test.each([
  ["does not exist", undefined],
  ["is not executable", ""],
])("a program that %s is DAILY_BROWSER_MISSING, and leaves no profile", async (_, content) => {
  const folder = join(tmpdir(), `pipecat-no-browser-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "chromium");
  if (content !== undefined) writeFileSync(file, content);
  await expect(launchChromium(file)).rejects.toMatchObject({
    code: "DAILY_BROWSER_MISSING",
    message: expect.stringContaining(file),
  });
  rmSync(folder, { recursive: true });
  expect(browserProfiles()).toEqual([]);
});
