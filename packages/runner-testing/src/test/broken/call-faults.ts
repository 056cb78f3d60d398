import type { IncomingMessage } from "node:http";
import type { OpenTransport, RunnerContext, Session } from "@pipecat-ts/runner-core";
import { createPhoneAdapter } from "../phone/adapter.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/adapter.ts";
import { alter, overlay } from "./alter.ts";
import type { Fault } from "./fault.ts";

/** In how calls begin and end. */
export const callFaults: readonly Fault[] = [
  {
    does: "does not notice that the caller has left",
    breaks: ["END-1", "END-2", "END-3", "END-7", "EVENT-1", "CAPACITY-1", "DRAIN-1", "OPEN-1", "SECRET-1"],
    adapter: () =>
      alter(
        {
          session: (session) => ({
            end: async (reason) => (reason === "caller-left" ? undefined : session.end(reason)),
          }),
        },
        createTcpAdapter({ caller: (caller) => overlay(caller, { left: () => undefined }) }),
      ),
  },
  {
    does: "takes a hang-up for a failure",
    breaks: ["END-1", "END-2", "END-3", "EVENT-1"],
    adapter: () =>
      alter(
        { session: (session) => ({ end: () => session.end("transport-failed") }) },
        createTcpAdapter({ caller: (caller) => overlay(caller, { left: () => caller.left("transport-failed") }) }),
      ),
  },
  {
    does: "cuts off the bot's last words",
    breaks: ["END-4"],
    adapter: () =>
      alter({
        transport: (transport) => ({
          close(reason) {
            transport.interrupt();
            return transport.close(reason);
          },
        }),
      }),
  },
  {
    does: "hangs up only where the bot has connected",
    breaks: ["END-5", "OPEN-1"],
    adapter: () => alter({ session: () => ({ own: () => undefined }) }),
  },
  {
    does: "says that the bot has finished, whatever ended the call",
    breaks: ["END-1", "END-2", "END-3", "END-6", "CLOSE-1"],
    adapter: () =>
      alter({ transport: (transport) => ({ closed: transport.closed.then(() => "bot-finished" as const) }) }),
  },
  {
    does: "lets everybody in who names a session, be it over or another runner's",
    breaks: ["END-7", "ISOLATION-3"],
    adapter() {
      const starts = new Map<unknown, OpenTransport["start"]>();
      return alter(
        {
          runner: (runner) => ({
            findSession(id) {
              const reply = runner.findSession(id)
                ? undefined
                : starts.get(runner)?.({ body: {}, request: { headers: {}, socket: {} } as IncomingMessage });
              return runner.findSession(reply && "sessionId" in reply ? reply.sessionId : id);
            },
          }),
          opened(opened, runner) {
            starts.set(runner, opened.start);
            return opened;
          },
        },
        createPhoneAdapter(acme),
      );
    },
  },
  {
    does: "says twice that the caller came",
    breaks: ["EVENT-1"],
    adapter: () =>
      alter({
        transport: (transport) => ({
          on(event, listener, options) {
            const twice: typeof listener = (...args) => {
              listener(...args);
              listener(...args);
            };
            return transport.on(event, event === "clientConnected" ? twice : listener, options);
          },
        }),
      }),
  },
  {
    does: "hangs up on everybody when one bot fails",
    breaks: ["FAIL-1", "FAIL-2", "FAIL-3", "FAIL-4"],
    adapter() {
      const releasesOf = new Map<RunnerContext, Parameters<Session["own"]>[0][]>();
      return alter({
        session: (session, runner) => ({
          own(release) {
            const releases = releasesOf.get(runner) ?? [];
            releasesOf.set(runner, releases);
            releases.push(release);
            session.own(async (reason) => {
              await Promise.all(releases.map((each) => each(reason)));
            });
          },
        }),
      });
    },
  },
  {
    does: "keeps quiet about a listener that throws",
    breaks: ["FAIL-3"],
    adapter: () =>
      alter({
        transport: (transport) => ({
          on: (event, listener, options) =>
            transport.on(
              event,
              (...args) => {
                try {
                  listener(...args);
                } catch (error) {
                  return String(error); // swallowed: this is the fault
                }
              },
              options,
            ),
        }),
      }),
  },
  {
    does: "leaves on the line whom the runner has no room for",
    breaks: ["CAPACITY-1"],
    adapter: () =>
      alter({
        session: (session) => ({
          run(own, connect) {
            try {
              session.run(own, connect);
            } catch (error) {
              session.logger.debug({ err: error }, "swallowed: this is the fault");
            }
          },
        }),
      }),
  },
  {
    does: "does not answer its webhook where it cannot take the call",
    breaks: ["DRAIN-1"],
    adapter: () =>
      alter(
        {
          opened: ({ routes = [] }) => ({
            routes: routes.map((route) => ({
              ...route,
              handle: async (ctx, next) => {
                try {
                  return await route.handle(ctx, next);
                } catch {
                  return await new Promise(() => undefined); // the fault
                }
              },
            })),
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "never hangs up",
    breaks: [
      "END-4",
      "END-5",
      "END-6",
      "FAIL-1",
      "FAIL-2",
      "FAIL-3",
      "FAIL-4",
      "ISOLATION-2",
      "CLOSE-1",
      "CLOSE-2",
      "OPEN-1",
      "OPEN-2",
      "SECRET-1",
    ],
    adapter: (cleanUp) =>
      alter(
        {
          session: () => ({ own: () => undefined }),
          opened(opened) {
            cleanUp(() => void opened.close());
            return { close: async () => undefined };
          },
        },
        createTcpAdapter({ port: (port) => overlay(port, { close: async () => undefined }) }),
      ),
  },
  {
    does: "keeps a timer of each call, if one that keeps no process alive",
    breaks: ["OPEN-1", "OPEN-2"],
    adapter: (cleanUp) =>
      alter({
        session: (session) => ({
          run(own, connect) {
            const timer = setInterval(() => undefined, 1_000).unref();
            cleanUp(() => clearInterval(timer));
            session.run(own, connect);
          },
        }),
      }),
  },
];
