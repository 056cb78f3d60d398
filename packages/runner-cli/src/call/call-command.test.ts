import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createProject } from "../test/temporary-project.ts";
import { callCommand } from "./call-command.ts";

/** A project whose caller cannot dial. */
const project = () =>
  createProject({
    "package.json": '{"dependencies": {"runner-pigeon": "*"}}',
    "node_modules/runner-pigeon/package.json": JSON.stringify({
      type: "module",
      exports: { "./caller": "./caller.js" },
      pipecatRunner: { plugin: "./plugin", caller: "./caller" },
    }),
    "node_modules/runner-pigeon/caller.js": `export default {
      apiVersion: 1, name: "pigeon", starts: false, open: () => { throw new Error("it was opened"); },
    };`,
  });

test("a recording that cannot be written is rejected before the call", async () => {
  const folder = project();
  const record = `${folder}/nowhere/out.wav`;
  await expect(callCommand(["pigeon", "--project", folder, "--record", record])).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringMatching(/^--record: cannot write .*ENOENT/),
  });
});

test("a call that is not answered leaves no recording, and a file that existed as it was", async () => {
  const folder = project();
  const old = join(folder, "old.wav");
  writeFileSync(old, "mine");
  for (const record of [join(folder, "out.wav"), old])
    await expect(callCommand(["pigeon", "--project", folder, "--record", record])).rejects.toThrow("it was opened");
  expect(existsSync(join(folder, "out.wav"))).toBe(false);
  expect(readFileSync(old, "utf8")).toBe("mine");
});

test.each([
  [["--loss", "5%"], "--loss: the caller of pigeon does not send packets itself."],
  [["--jitter", "40ms"], "--jitter: the caller of pigeon does not send packets itself."],
  [["--body", "{}"], "--body: a call over pigeon has no start request to send it with."],
  [["--mic", "--wav", "in.wav"], "--mic and --wav cannot be combined."],
  [["--mic", "--calls", "2"], "--mic and --calls cannot be combined."],
  [["--record", "out.wav", "--calls", "2"], "--record records one call."],
  [["--record", "out.wav", "--wav", "./out.wav"], "--record would overwrite the file of --wav."],
  [["--dtmf", "1@3s", "--hang-up", "1s"], "--dtmf: keys would be pressed after --hang-up."],
])("%j is rejected before the call", async (flags, message) => {
  await expect(callCommand(["pigeon", "--project", project(), ...flags])).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message,
  });
});

test("a microphone that fails during the call ends it, and the call fails", async () => {
  const folder = project();
  const caller = `
    const closed = Promise.withResolvers();
    const playout = { takePlayed: () => [], played: () => [] };
    const hangUp = async () => closed.resolve({ code: 1000 });
    const dial = async () => ({ sampleRate: 8000, playout, sendAudio() {}, closed: closed.promise, hangUp, drop() {} });
    export default { apiVersion: 1, name: "pigeon", starts: false, open: () => ({ dial }) };`;
  writeFileSync(join(folder, "node_modules/runner-pigeon/caller.js"), caller);
  writeFileSync(join(folder, "sox"), "#!/bin/sh\nprintf 1234\n/bin/sleep 0.2\necho 'device disconnected' >&2\n", {
    mode: 0o755,
  });
  vi.stubEnv("PATH", folder);
  const output = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    output.mockRestore();
  });
  expect(await callCommand(["pigeon", "--project", folder, "--mic", "--hang-up", "10s"])).toBe(1);
  expect(output.mock.calls.join("")).toContain("--mic: sox failed: device disconnected.");
});
