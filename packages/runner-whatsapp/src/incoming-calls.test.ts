import type { RunnerContext, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, until } from "@pipecat-ts/runner-testing";
import type { Calls } from "@pipecat-ts/runner-webrtc";
import { expect, onTestFinished, test } from "vitest";
import type { WhatsAppApi } from "./api.ts";
import { createIncomingCalls } from "./incoming-calls.ts";
import { parseCallEvents } from "./messages.ts";
import { business, connectOf } from "./test/webhooks.ts";

/** Incoming calls with a fake API and fake WebRTC calls, whose steps the test controls. */
async function openIncoming() {
  const { promise: context, resolve } = Promise.withResolvers<RunnerContext>();
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name: "fixture",
    open(opened) {
      resolve(opened);
      return {};
    },
  };
  const logger = createRecordingLogger();
  const host = createRunner({ bot: () => undefined, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
  onTestFinished(() => host.close());
  await host.listen();
  const runner = await context;

  const steps: string[] = [];
  const deferred = {
    connected: Promise.withResolvers<void>(),
    accept: Promise.withResolvers<void>(),
  };
  const step = (name: string, done: Promise<void> = Promise.resolve()) => {
    steps.push(name);
    return done;
  };
  const api: WhatsAppApi = {
    preAccept: () => step("pre_accept"),
    accept: () => step("accept", deferred.accept.promise),
    reject: () => step("reject"),
    terminate: () => step("terminate"),
    checkNumber: () => expect.unreachable(),
    close: () => step("close"),
  };
  const calls: Calls = {
    async answer(session) {
      const left = new Promise<never>(() => undefined);
      return { sdp: "v=0", pcId: `${session.id}.1`, connected: deferred.connected.promise, left };
    },
    start: () => void step("start"),
    hungUp: (session) => session.end("caller-left"),
    warmUp: () => expect.unreachable(),
    find: () => expect.unreachable(),
  };
  const { phoneNumberId } = business;
  const incoming = createIncomingCalls({ runner, calls, api, phoneNumberId });
  parseCallEvents(connectOf("wacid.1", "v=0")).forEach(incoming.take);
  return { host, steps, deferred, incoming };
}

/** Lets everything happen that waits for nothing. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test("a call is accepted when it is connected, and the bot starts when it is accepted", async () => {
  const { steps, deferred } = await openIncoming();
  await settle();
  expect(steps).toEqual(["pre_accept"]);
  deferred.connected.resolve();
  await until("the call is being accepted", () => steps.includes("accept"), 5_000);
  await settle();
  expect(steps).toEqual(["pre_accept", "accept"]);
  deferred.accept.resolve();
  await until("the bot starts", () => steps.includes("start"), 5_000);
  expect(steps).toEqual(["pre_accept", "accept", "start"]);
});

test("a hang-up waits for the request in progress, and close() waits for the hang-up", async () => {
  const { host, steps, deferred, incoming } = await openIncoming();
  deferred.connected.resolve();
  await until("the call is being accepted", () => steps.includes("accept"), 5_000);
  const [session] = [...host.sessions];
  const ended = session?.end("ended-by-request");
  await settle();
  expect(steps).toEqual(["pre_accept", "accept"]);
  const closed = incoming.close();
  deferred.accept.resolve();
  await closed;
  expect(steps).toEqual(["pre_accept", "accept", "terminate", "close"]);
  await ended;
});
