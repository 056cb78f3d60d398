import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { createPhoneAdapter } from "../phone/adapter.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/adapter.ts";
import { alter } from "./alter.ts";
import type { Fault } from "./fault.ts";

/** Before there is a call. */
export const setupFaults: readonly Fault[] = [
  {
    does: "changes the environment when it is imported",
    breaks: ["IMPORT-1"],
    adapter: () => ({ ...createTcpAdapter(), entry: import.meta.resolve("./noisy-import.ts") }),
  },
  {
    does: "tries in `check` whether its port is free",
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
    does: "does not say how to mend what is wanting",
    breaks: ["CHECK-2"],
    adapter: () => alter({ plugin: { check: () => ({ state: "limited", reason: "something is wanting", fix: "" }) } }),
  },
  {
    does: "answers /start with an id that is not the session's",
    breaks: ["START-1"],
    adapter: () =>
      alter({
        opened: (opened) => ({
          start: async (request) => ({ body: {}, ...(await opened.start?.(request)), sessionId: randomUUID() }),
        }),
      }),
  },
  {
    does: "loses the body of the start request",
    breaks: ["START-2", "ISOLATION-1"],
    adapter: () => alter({ runner: (runner) => ({ createSession: () => runner.createSession() }) }),
  },
  {
    does: "has no webhook",
    breaks: ["START-3", "DRAIN-1", "SECRET-1"],
    adapter: () => alter({ opened: () => ({ routes: [] }) }, createPhoneAdapter(acme)),
  },
  {
    does: "takes every start request",
    breaks: ["START-4"],
    adapter: () =>
      alter({
        opened: (opened) => ({
          start: async (request) => {
            const reply = await opened.start?.({ ...request, body: { ...request.body, greeting: "hello" } });
            return reply ?? { sessionId: "", body: {} };
          },
        }),
      }),
  },
  {
    does: "hands out the session's id where a token is asked for",
    breaks: ["START-5"],
    adapter: () => alter({ runner: () => ({ socketSegment: ({ id }) => id }) }, createPhoneAdapter(acme)),
  },
  {
    does: "prints its key",
    breaks: ["SECRET-1"],
    adapter() {
      const adapter = createTcpAdapter();
      return alter({
        opened: (opened, runner) => {
          runner.logger.debug({ options: adapter.options }, "opened");
          return opened;
        },
      });
    },
  },
  {
    does: "prints who calls",
    breaks: ["SECRET-1"],
    adapter: () =>
      alter(
        {
          session: (session) => ({
            run(own, connect) {
              console.info(`a call from ${own.callData?.from}`);
              session.run(own, connect);
            },
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "keeps its port open",
    breaks: ["OPEN-2"],
    adapter: (cleanUp) =>
      alter({
        opened(opened) {
          cleanUp(() => void opened.close());
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
              await opened.close();
            },
          };
        },
      }),
  },
  {
    does: "closes the runner's neighbours with it",
    breaks: ["ISOLATION-2"],
    adapter() {
      const closes: (() => Promise<void>)[] = [];
      return alter({
        opened(opened) {
          closes.push(opened.close);
          return {
            close: async () => {
              await Promise.all(closes.map((close) => close()));
            },
          };
        },
      });
    },
  },
];
