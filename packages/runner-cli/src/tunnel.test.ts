import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { PassThrough } from "node:stream";
import type { Logger } from "@pipecat-ts/runner-core";
import { afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { freePort } from "./test/free-port.ts";
import { openTunnel, type TunnelHost, type TunnelSettings, tunnelSettings } from "./tunnel.ts";

let settings: TunnelSettings;
beforeAll(async () => {
  const base = { tunnel: true, direct: false, host: "127.0.0.1", publicUrl: undefined, proxy: undefined };
  settings = { ...base, port: await freePort() };
});
afterEach(() => void vi.useRealTimers());

/** A process on a machine where only `installed` is installed, which prints `pieces`, and ends with one of the signals `endsWith`. */
function createHost(
  installed: string,
  pieces: readonly string[],
  endsWith: readonly string[] = ["SIGTERM", "SIGKILL"],
) {
  const kills: string[] = [];
  const commands: string[] = [];
  const signals = new EventEmitter();
  const exit = vi.fn();
  let child = new EventEmitter();
  function end(): void {
    child.emit("exit");
    child.emit("close");
  }
  const host: TunnelHost = {
    spawn(command, args) {
      commands.push([command, ...args].join(" "));
      const stdout = new PassThrough();
      child = Object.assign(new EventEmitter(), {
        stdout,
        kill(signal = "SIGTERM") {
          kills.push(signal);
          if (endsWith.includes(signal)) queueMicrotask(end);
        },
      });
      void print(child, stdout);
      return child as ChildProcess;
    },
    process: Object.assign(signals, { exit }) as unknown as TunnelHost["process"],
  };
  async function print(program: EventEmitter, stdout: PassThrough): Promise<void> {
    await Promise.resolve();
    if (!commands.at(-1)?.startsWith(installed)) {
      program.emit("error", Object.assign(new Error("not found"), { code: "ENOENT" }));
      return;
    }
    program.emit("spawn");
    for (const piece of pieces) {
      await new Promise(setImmediate);
      stdout.write(piece);
    }
  }
  return { host, kills, commands, signals, exit, end };
}

const cloudflared = ["| https://calm-nest.trycloudflare.com |\n"];

async function openOn({ host }: { readonly host: TunnelHost }) {
  const tunnel = await openTunnel(settings, host);
  if (!tunnel) throw new Error("no tunnel");
  return tunnel;
}

test("until a tunnel has ended, a signal that nothing else handles ends it with the process", async () => {
  const fake = createHost("cloudflared", cloudflared);
  const tunnel = await openOn(fake);
  const other = () => undefined;
  fake.signals.on("SIGINT", other);
  fake.signals.emit("SIGINT", "SIGINT");
  expect(fake.exit).not.toHaveBeenCalled();
  fake.signals.off("SIGINT", other);
  fake.signals.emit("SIGINT", "SIGINT");
  expect(fake.exit).toHaveBeenCalledExactlyOnceWith(130);
  fake.signals.emit("exit");
  expect(fake.kills).toEqual(["SIGTERM"]);
  await tunnel.close();
  expect(fake.signals.eventNames()).toEqual([]);
});

test("close waits for the end of the tunnel, and kills it after 2 s", async () => {
  const fake = createHost("cloudflared", cloudflared, ["SIGKILL"]);
  const tunnel = await openOn(fake);
  vi.useFakeTimers();
  const closed = vi.fn();
  void tunnel.close().then(closed);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(fake.kills).toEqual(["SIGTERM"]);
  expect(fake.signals.listenerCount("SIGINT"), "a signal would leave the tunnel running").toBe(1);
  expect(closed).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(fake.kills).toEqual(["SIGTERM", "SIGKILL"]);
  expect(closed).toHaveBeenCalled();
});

test("the end of a tunnel is logged, unless it was closed", async () => {
  const error = vi.fn();
  const logger = { error } as Partial<Logger> as Logger;
  const closed = await openOn(createHost("cloudflared", cloudflared));
  closed.logTo(logger);
  await closed.close();
  await new Promise(setImmediate);
  expect(error).not.toHaveBeenCalled();
  const fake = createHost("cloudflared", cloudflared);
  (await openOn(fake)).logTo(logger);
  fake.end();
  await vi.waitFor(() => expect(error).toHaveBeenCalledOnce());
});

test("a URL that arrives in pieces is complete", async () => {
  const fake = createHost("ngrok", ["url=https://calm", "-nest.ngrok-free.app\n"]);
  expect((await openOn(fake)).url.href).toBe("https://calm-nest.ngrok-free.app/");
});

test("with --cloud, the tunnel leads to the port of --cloud", () => {
  vi.stubEnv("PORT", "8090");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { host, port, tunnel } = tunnelSettings({ cloud: true, tunnel: true });
  expect({ host, port, tunnel }).toEqual({ host: "0.0.0.0", port: 8090, tunnel: true });
});

test("--tunnel wins over the variable of --public-url, and is rejected with the flag", () => {
  vi.stubEnv("PIPECAT_RUNNER_PUBLIC_URL", "https://bots.example.com");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(tunnelSettings({ tunnel: true }).publicUrl).toBeUndefined();
  expect(tunnelSettings({ tunnel: true, publicUrl: "https://x.example" }).publicUrl).toBe("https://x.example");
});

test.each([
  ["cloudflared", cloudflared, "cloudflared tunnel --no-autoupdate --url http://127.0.0.2:PORT"],
  ["ngrok", ["url=https://calm-nest.ngrok-free.app\n"], "ngrok http 127.0.0.2:PORT --log stdout --log-format logfmt"],
])("%s forwards to the address on which the runner listens", async (program, pieces, command) => {
  const fake = createHost(program, pieces);
  await openTunnel({ ...settings, host: "127.0.0.2" }, fake.host);
  expect(fake.commands.at(-1)).toBe(command.replace("PORT", `${settings.port}`));
});

test("a port in use is not made public", async () => {
  const server = createServer().listen(settings.port, settings.host);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const fake = createHost("cloudflared", cloudflared);
  await expect(openTunnel(settings, fake.host)).rejects.toMatchObject({ code: "PORT_IN_USE" });
  expect(fake.commands).toEqual([]);
});
