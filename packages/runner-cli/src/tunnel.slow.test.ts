import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { freePort } from "./test/free-port.ts";
import { bin, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";
import { openTunnel, type TunnelSettings } from "./tunnel.ts";

afterEach(() => void vi.unstubAllEnvs());

/** A project, and a fake tunnel program in its folder, which writes its process id to the file "pid", and the file "ended" when it ends, after 0.3 s. */
function createTunnelProject(name: string, output: string, then = "while true; do sleep 0.05; done") {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export function bot() {}" });
  writeFileSync(
    join(folder, name),
    `#!/bin/sh\ncd ${folder}\ntrap "sleep 0.3; touch ended; exit" TERM\necho $$ > pid\n${output}\n${then}\n`,
  );
  chmodSync(join(folder, name), 0o755);
  return { folder, PATH: `${folder}:/usr/bin:/bin` };
}

test.each<[string, string, readonly string[]]>([
  ["cloudflared", 'echo "see https://developers.cloudflare.com | https://calm-nest.trycloudflare.com |" >&2', []],
  [
    "ngrok",
    'echo "msg=started addr=http://localhost url=https://calm-nest.ngrok-free.app"',
    ["--isolation", "process"],
  ],
])("--tunnel runs %s, shows its URL, and ends it with the runner", async (name, output, flags) => {
  const { folder, PATH } = createTunnelProject(name, output);
  const program = startProgram(folder, [bin, "--tunnel", "--port", `${await freePort()}`, ...flags], { PATH });
  await program.printed(/ {2}https:\/\/calm-nest\.\S+ {2}public\n/);
  expect(program.stderr).toContain("Anyone who knows this address can use");
  expect(existsSync(join(folder, "ended"))).toBe(false);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
  expect(existsSync(join(folder, "ended")), "the program waits for the end of the tunnel").toBe(true);
  expect(program.stdout + program.stderr).not.toContain("ended, and with it");
});

test("a tunnel that ends is logged, and the runner continues", async () => {
  const { folder, PATH } = createTunnelProject("ngrok", "echo url=https://calm-nest.ngrok-free.app");
  const program = startProgram(folder, [bin, "--tunnel", "--port", `${await freePort()}`], { PATH });
  await program.printed(/calls at once/);
  process.kill(Number(readFileSync(join(folder, "pid"), "utf8")));
  await program.printed(/ngrok ended, and with it the public URL/);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

const settings: TunnelSettings = {
  ...{ tunnel: true, direct: false, host: "localhost", port: await freePort() },
  ...{ publicUrl: undefined, proxy: undefined },
};

test("a tunnel that cannot start is an error that says why", async () => {
  vi.stubEnv("PATH", "/nowhere");
  await expect(openTunnel(settings)).rejects.toMatchObject({
    code: "TUNNEL_FAILED",
    message: expect.stringContaining("neither cloudflared nor ngrok"),
  });
  const { PATH } = createTunnelProject("cloudflared", 'echo "no route to https://api.trycloudflare.com" >&2', "exit 1");
  vi.stubEnv("PATH", PATH);
  await expect(openTunnel(settings)).rejects.toMatchObject({
    code: "TUNNEL_FAILED",
    message: expect.stringMatching(/^cloudflared exited without a public URL\. Its last line: no route to/),
    fix: expect.stringContaining(
      `Run \`cloudflared tunnel --no-autoupdate --url http://localhost:${settings.port}\` to see the error`,
    ),
  });
});

test.each<[string, Partial<TunnelSettings>]>([
  ["--direct", { direct: true }],
  ["--public-url", { publicUrl: "https://bots.example.com" }],
  ["--proxy", { proxy: "bots.example.com" }],
  ["--port", { port: 0 }],
])("--tunnel is rejected with %s", async (flag, more) => {
  await expect(openTunnel({ ...settings, ...more })).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining(flag),
  });
});

test("without --tunnel, nothing starts", async () => {
  expect(await openTunnel({ ...settings, tunnel: false })).toBeUndefined();
});
