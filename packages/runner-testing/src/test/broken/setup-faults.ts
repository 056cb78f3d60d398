import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RunnerContext } from "@pipecat-ts/runner-core";
import { createPhoneAdapter } from "../phone/caller.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/caller.ts";
import { alter, alterReply, type Fault } from "./fault.ts";

/** Faults in the plugin, in access, and in opening and closing. */
export const setupFaults: readonly Fault[] = [
  {
    does: "changes the environment when it is imported",
    breaks: ["IMPORT-1"],
    adapter: (cleanUp) => packageWith({ "index.js": 'process.env.NOISY = "1";', "plugin.js": "" }, cleanUp),
  },
  {
    does: "starts a timer when its plugin module is imported",
    breaks: ["IMPORT-1"],
    adapter: (cleanUp) => packageWith({ "index.js": "", "plugin.js": "setTimeout(() => undefined);" }, cleanUp),
  },
  {
    does: "opens its port in `check`",
    breaks: ["CHECK-1"],
    adapter: () =>
      alter({
        plugin: {
          async check() {
            const server = createServer().listen(0, "127.0.0.1");
            await once(server, "listening");
            server.close();
            await once(server, "close");
            return { state: "ready" };
          },
        },
      }),
  },
  {
    does: "names no fix for what is missing",
    breaks: ["CHECK-2"],
    adapter: () => alter({ plugin: { check: () => ({ state: "limited", reason: "something is missing", fix: "" }) } }),
  },
  {
    does: "answers /start with an id that is not the session's",
    breaks: ["START-1"],
    adapter: () =>
      alter({ opened: (opened) => ({ start: alterReply(opened, ({ body }) => ({ body, sessionId: randomUUID() })) }) }),
  },
  {
    does: "loses the body of the start request",
    breaks: ["START-2", "ISOLATION-1"],
    adapter: () => alter({ runner: (runner) => ({ createSession: () => runner.createSession() }) }),
  },
  {
    does: "has no webhook",
    breaks: ["START-3"],
    adapter: () => alter({ opened: () => ({ routes: [] }) }, createPhoneAdapter(acme)),
  },
  {
    does: "accepts every start request",
    breaks: ["START-4"],
    adapter: () =>
      alter({
        opened: (opened) => ({
          start: (request) =>
            alterReply(opened, (reply) => reply)({ ...request, body: { ...request.body, greeting: "hello" } }),
        }),
      }),
  },
  {
    does: "hands out the session id where a token is required",
    breaks: ["ACCESS-1"],
    adapter: () =>
      alter(
        {
          runner: (runner) => ({
            socketUrl: ({ id }, path, request) =>
              Object.assign(runner.url(`${path}/${id}`, request), { protocol: "ws:" }),
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "accepts the session id instead of a token",
    breaks: ["ACCESS-2"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          admit: orElse(runner, ({ credential = "" }) => runner.findSession(credential)),
        }),
      }),
  },
  {
    does: "uses no tokens on its own server",
    breaks: ["ACCESS-2"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          credential: ({ id }) => id,
          admit: orElse(runner, ({ credential = "" }) => runner.findSession(credential)),
        }),
      }),
  },
  {
    does: "accepts callers without the API key",
    breaks: ["ACCESS-3"],
    adapter: () => alter({ runner: (runner) => ({ admit: orElse(runner, () => runner.createSession()) }) }),
  },
  {
    does: "logs its secret option",
    breaks: ["SECRET-1"],
    adapter() {
      const adapter = createPhoneAdapter(acme);
      return alter(
        {
          opened(opened, runner) {
            runner.logger.debug({ options: adapter.options }, "opened");
            return opened;
          },
        },
        adapter,
      );
    },
  },
  {
    does: "prints the caller's number",
    breaks: ["SECRET-1"],
    adapter: () =>
      alter(
        {
          session: (session) => ({
            run(own, connect) {
              console.info(`a call from ${own.callData?.from}`);
              return session.run(own, connect);
            },
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "logs the caller's number in a URL",
    breaks: ["SECRET-1"],
    adapter: () =>
      alter(
        {
          session: (session) => ({
            run(own, connect) {
              session.logger.debug({ query: String(new URLSearchParams({ from: own.callData?.from ?? "" })) }, "call");
              return session.run(own, connect);
            },
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "logs the tokens of its sessions",
    breaks: ["SECRET-1"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          credential(session) {
            const credential = runner.credential(session);
            runner.logger.debug({ credential }, "session created");
            return credential;
          },
        }),
      }),
  },
  {
    does: "repeats the API key when it refuses a caller",
    breaks: ["SECRET-1"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          admit: orElse(runner, ({ key }) => {
            throw new Error(`"${key}" is not the API key`);
          }),
        }),
      }),
  },
  {
    does: "keeps its port open",
    breaks: ["OPEN-2"],
    adapter: (cleanUp) =>
      alter({
        opened(opened) {
          cleanUp(() => void opened.close?.());
          return { close: async () => undefined };
        },
      }),
  },
  {
    does: "cannot be closed twice",
    breaks: ["CLOSE-2"],
    adapter: () =>
      alter({
        opened(opened) {
          let closed = false;
          return {
            async close() {
              if (closed) throw new Error("closed already");
              closed = true;
              await opened.close?.();
            },
          };
        },
      }),
  },
  {
    does: "also closes the transports of other runners",
    breaks: ["ISOLATION-2"],
    adapter() {
      const closes: (() => unknown)[] = [];
      return alter({
        opened(opened) {
          closes.push(() => opened.close?.());
          return {
            close: async () => {
              await Promise.all(closes.map((close) => close()));
            },
          };
        },
      });
    },
  },
  {
    does: "shares its sessions between runners",
    breaks: ["ISOLATION-3"],
    adapter() {
      const runners: RunnerContext[] = [];
      return alter({
        runner(runner) {
          runners.push(runner);
          return {
            admit: orElse(runner, ({ credential = "" }) =>
              runners.map((each) => each.findSession(credential)).find((session) => session),
            ),
          };
        },
      });
    },
  },
];

/** `runner.admit`, with another result where it throws. */
function orElse(
  runner: RunnerContext,
  replacement: (credentials: Parameters<RunnerContext["admit"]>[0]) => ReturnType<RunnerContext["findSession"]>,
): RunnerContext["admit"] {
  return (credentials) => {
    try {
      return runner.admit(credentials);
    } catch (error) {
      const session = replacement(credentials);
      if (session) return session;
      throw error;
    }
  };
}

/** The TCP transport in a package whose modules have these texts. */
function packageWith(
  files: Readonly<Record<"index.js" | "plugin.js", string>>,
  cleanUp: (release: () => void) => void,
) {
  const folder = mkdtempSync(join(tmpdir(), "noisy-transport-"));
  cleanUp(() => rmSync(folder, { recursive: true }));
  const manifest = {
    name: "noisy-transport",
    type: "module",
    pipecatRunner: { plugin: "./plugin" },
    exports: { ".": "./index.js", "./plugin": "./plugin.js" },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return { ...createTcpAdapter(), entry: pathToFileURL(join(folder, "index.js")).href };
}
