import type { RunnerContext } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, until } from "@pipecat-ts/runner-testing";
import type { Calls } from "@pipecat-ts/runner-webrtc";
import { expect, onTestFinished, test } from "vitest";
import type { Graph } from "./graph.ts";
import { createIncomingCalls } from "./incoming-calls.ts";
import { recogniseCallEvents } from "./messages.ts";
import { business, connectOf } from "./test/webhooks.ts";

/** A runner's context, and incoming calls in it over a Graph and calls whose every step the test decides on. */
async function openIncoming() {
  const { promise: context, resolve } = Promise.withResolvers<RunnerContext>();
  const plugin = {
    name: "stage",
    open(opened: RunnerContext) {
      resolve(opened);
      return { close: async () => undefined };
    },
  };
  const logger = createRecordingLogger();
  const host = createRunner({ bot: () => undefined, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
  onTestFinished(() => host.close());
  await host.listen();
  const runner = await context;

  const steps: string[] = [];
  const gates = {
    connected: Promise.withResolvers<void>(),
    accept: Promise.withResolvers<void>(),
  };
  const step = (name: string, done: Promise<void> = Promise.resolve()) => {
    steps.push(name);
    return done;
  };
  const graph: Graph = {
    preAccept: () => step("pre_accept"),
    accept: () => step("accept", gates.accept.promise),
    reject: () => step("reject"),
    terminate: () => step("terminate"),
    close: () => void step("close"),
  };
  const calls: Calls = {
    async answer(session) {
      const left = new Promise<never>(() => undefined);
      return { sdp: "v=0", pcId: `${session.id}.1`, connected: gates.connected.promise, left };
    },
    start: () => void step("start"),
    hungUp: (session) => session.end("caller-left"),
    find: () => expect.unreachable(),
  };
  const { phoneNumberId } = business;
  const incoming = createIncomingCalls({ runner, calls, graph, phoneNumberId });
  recogniseCallEvents(connectOf("wacid.1", "v=0")).forEach(incoming.take);
  return { host, steps, gates, incoming };
}

/** Lets everything happen that waits for nothing. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test("a call is accepted when its connection stands, and the bot starts when it is accepted", async () => {
  const { steps, gates } = await openIncoming();
  await settle();
  expect(steps).toEqual(["pre_accept"]);
  gates.connected.resolve();
  await until("the call is being accepted", () => steps.includes("accept"), 5_000);
  await settle();
  expect(steps).toEqual(["pre_accept", "accept"]);
  gates.accept.resolve();
  await until("the bot starts", () => steps.includes("start"), 5_000);
  expect(steps).toEqual(["pre_accept", "accept", "start"]);
});

test("a hang-up does not overtake the request that it follows, and closing waits for it", async () => {
  const { host, steps, gates, incoming } = await openIncoming();
  gates.connected.resolve();
  await until("the call is being accepted", () => steps.includes("accept"), 5_000);
  const [session] = [...host.sessions];
  const ended = session?.end("ended-by-request");
  await settle();
  expect(steps).toEqual(["pre_accept", "accept"]);
  const closed = incoming.close();
  gates.accept.resolve();
  await closed;
  expect(steps).toEqual(["pre_accept", "accept", "terminate", "close"]);
  await ended;
});
