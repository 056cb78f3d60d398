import type { Call, RunnerContext, Session } from "@pipecat-ts/runner-core";
import { createPhoneAdapter } from "../phone/caller.ts";
import { acme } from "../phone/dialect.ts";
import type { CallRouter } from "../phone/router.ts";
import { alter, alterPlugin, type Change, type Fault } from "./fault.ts";

/** Faults in how calls begin and end. */
export const callFaults: readonly Fault[] = [
  {
    does: "does not report that the caller left",
    breaks: ["END-1", "END-2", "END-3", "DRAIN-1"],
    adapter: () => alter({ call: () => ({ left: () => undefined }) }),
  },
  {
    does: "reports that the caller left only after the bot connected",
    breaks: ["END-3"],
    adapter() {
      const connected = new WeakSet<object>();
      return alter({
        port(_, call) {
          connected.add(call);
          return {};
        },
        call: (call) => ({ left: (reason) => connected.has(call) && call.left(reason) }),
      });
    },
  },
  {
    does: "reports a hang-up as a failure",
    breaks: ["END-1", "EVENT-1"],
    adapter: () => alter({ call: (call) => ({ left: () => call.left("transport-failed") }) }),
  },
  {
    does: "does not report that the caller connected",
    breaks: ["EVENT-1"],
    adapter: () => alter({ call: () => ({ connected: () => undefined }) }),
  },
  {
    does: "disconnects only callers whose bot connected",
    breaks: ["END-5"],
    adapter: () => alter({ session: () => ({ onEnd: () => undefined }) }),
  },
  {
    does: "never disconnects",
    breaks: ["END-4", "END-6", "CLOSE-1"],
    adapter: (cleanUp) =>
      alter({
        session: () => ({ onEnd: () => undefined }),
        port: () => ({ close: () => undefined }),
        opened(opened) {
          cleanUp(() => void opened.close?.());
          return { close: () => undefined };
        },
      }),
  },
  {
    does: "starts a new session for a caller whose session has ended",
    breaks: ["END-7"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          admit(credentials) {
            try {
              return runner.admit(credentials);
            } catch {
              return runner.createSession(); // the fault
            }
          },
        }),
      }),
  },
  {
    does: "disconnects all callers when one session ends",
    breaks: ["FAIL-1", "FAIL-2", "FAIL-3", "FAIL-4"],
    adapter() {
      const releasesOf = new Map<RunnerContext, Parameters<Session["onEnd"]>[0][]>();
      return alter({
        session: (session, runner) => ({
          onEnd(release) {
            const releases = releasesOf.get(runner) ?? [];
            releasesOf.set(runner, releases);
            releases.push(release);
            session.onEnd(async (reason, deadline) => {
              await Promise.all(releases.map((each) => each(reason, deadline)));
            });
          },
        }),
      });
    },
  },
  {
    does: "throws when it receives audio of an unexpected size",
    breaks: ["FAIL-5"],
    adapter: () =>
      alter({
        call: (call) => ({
          audio(frame) {
            if (frame.samples.length !== 320) throw new Error(`${frame.samples.length} samples`);
            call.audio(frame);
          },
        }),
      }),
  },
  {
    does: "keeps callers connected when the runner is full",
    breaks: ["CAPACITY-1"],
    adapter: () =>
      alter({
        runner: (runner) => ({
          admit: (credentials) => runner.findSession(credentials.credential ?? "") ?? runner.admit(credentials),
        }),
        session: (session) => ({
          run(own, connect) {
            try {
              return session.run(own, connect);
            } catch (err) {
              session.logger.debug({ err }, "ignored"); // the fault
              return unusedCall;
            }
          },
        }),
      }),
  },
  {
    does: "does not count the callers that it rejects",
    breaks: ["CAPACITY-1"],
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
                  ctx.status = 429; // the fault
                }
              },
            })),
          }),
        },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "does not answer its webhook when it cannot accept the call",
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
    does: "gives a call to the first carrier that understands its messages",
    breaks: ["ISOLATION-4"],
    adapter() {
      const change: Change = {
        runner: (runner) => ({
          shared<T>(key: string, create: () => T): T {
            const router = runner.shared(key, create) as CallRouter;
            const connect: CallRouter["connect"] = (carrier) =>
              router.connect({
                ...carrier,
                expects: () => true,
                answer(incoming) {
                  if (incoming.session && !carrier.expects(incoming.session)) throw new Error("not a call of ours");
                  return carrier.answer(incoming);
                },
              });
            return { ...router, connect } as T;
          },
        }),
      };
      const adapter = alter(change, createPhoneAdapter(acme));
      const companions = adapter.companions?.map((each) => ({ ...each, plugin: alterPlugin(change, each.plugin) }));
      return { ...adapter, ...(companions && { companions }) };
    },
  },
  {
    does: "keeps a timer for each call",
    breaks: ["OPEN-1"],
    adapter: (cleanUp) =>
      alter({
        session: (session) => ({
          run(own, connect) {
            const timer = setInterval(() => undefined, 1_000).unref();
            cleanUp(() => clearInterval(timer));
            return session.run(own, connect);
          },
        }),
      }),
  },
  {
    does: "keeps 1 MB of each call",
    breaks: ["OPEN-3"],
    adapter() {
      const kept: Uint8Array[] = [];
      return alter({
        session: (session) => ({
          run(own, connect) {
            kept.push(new Uint8Array(1_000_000));
            return session.run(own, connect);
          },
        }),
      });
    },
  },
];

const unusedCall: Call = {
  connected: () => undefined,
  audio: () => undefined,
  message: () => undefined,
  dtmf: () => undefined,
  played: () => undefined,
  error: () => undefined,
  event: () => undefined,
  left: () => undefined,
};
