import { type Clock, systemClock, type TransportPlugin } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { describe, expect, test } from "vitest";
import { tone } from "../../runner-testing/src/index.ts";
import type { PhoneTransport } from "./arguments.ts";
import { createTelephonyPlugin } from "./plugin.ts";
import { createAcme } from "./test/acme.ts";
import type { FixtureOptions } from "./test/fixture.ts";
import { apiKey, numbers, publicUrl, useOutboundCalls } from "./test/outbound-calls.ts";

const outbound = useOutboundCalls();
const { open, start, place, report, describeSession, pickUp, endings, cancels } = outbound;

/** A transport that start requests choose by default. */
function definePage(): TransportPlugin {
  const start = () => ({ sessionId: "none", body: { page: true } });
  return { apiVersion: 1, name: "page", advanced: { rank: 9 }, open: () => ({ start }) };
}

test("a call is placed at the carrier, and its bot starts when it is answered", async () => {
  const runner = await open();
  const placed = await place(runner, {}, { order: 7 });
  expect(placed.request).toMatchObject({ ...numbers, ringSeconds: 60, machineDetection: false });
  for (const url of [placed.answer, placed.status]) expect(url.origin).toBe(publicUrl.origin);
  expect(await describeSession(runner, placed.sessionId)).toMatchObject({ state: "pending", transport: "acme" });
  expect(outbound.fixture.calls).toEqual([]);

  const phone = await pickUp(runner, placed);
  await expect.poll(() => outbound.fixture.calls.length).toBe(1);
  const { args, finish } = outbound.fixture.calls[0] ?? {};
  expect(args).toMatchObject({ sessionId: placed.sessionId, transport: "acme", body: { order: 7 } });
  expect(args?.callData).toMatchObject({ callId: "A1", ...numbers, direction: "outbound" });
  finish?.();
  await phone.closed;
  await expect.poll(() => runner.sessions.counts.active).toBe(0);
  expect(cancels(), "hung up once").toEqual(["/calls/A1"]);
});

describe("the carrier's reports", () => {
  test.each([
    ["engaged", "busy"],
    ["unanswered", "no-answer"],
    ["broken", "failed"],
    ["robot", "machine"],
    ["over", "caller-left"],
  ])("%s ends the session with %s, in log, metrics and GET /sessions", async (state, reason) => {
    const runner = await open();
    const { sessionId, status } = await place(runner);
    expect(await report(runner, status, { call: "A1", state: "ringing" })).toEqual({ status: 200, text: "" });
    expect(await describeSession(runner, sessionId)).toMatchObject({ state: "pending" });
    expect(await report(runner, status, { call: "A1", state })).toEqual({ status: 200, text: "" });
    await expect.poll(() => runner.sessions.counts.pending).toBe(0);
    expect(await describeSession(runner, sessionId)).toMatchObject({ status: 200, sessionId, state: "ended", reason });
    expect(await describeSession(runner, sessionId, "another-key-of-letters")).toMatchObject({ status: 401 });
    expect(JSON.stringify(await runner.metrics())).toContain(`"reason":"${reason}"`);
    await expect.poll(endings).toEqual([reason]);
    // The carrier has ended these calls itself, except for one that a machine answered.
    expect(cancels()).toEqual(reason === "machine" ? ["/calls/A1"] : []);
    expect(outbound.fixture.calls).toEqual([]);
  });

  test.each(["before", "after"])(
    "a machine that is reported %s the bot runs is an event, once, and the call goes on",
    async (when) => {
      const runner = await open();
      const placed = await place(runner, { machineDetection: "report" });
      expect(placed.request).toMatchObject({ machineDetection: true });
      const robot = { call: "A1", state: "robot" };
      if (when === "before") await report(runner, placed.status, robot);
      // A forged report changes nothing.
      await report(runner, placed.status, robot, "another key");
      const phone = await pickUp(runner, placed);
      await expect.poll(() => outbound.fixture.calls.length).toBe(1);
      const [call] = outbound.fixture.calls;
      let machines = 0;
      (outbound.fixture.calls.at(-1)?.transport as PhoneTransport | undefined)?.on("machineAnswered", () => {
        machines += 1;
      });
      if (when === "after") await report(runner, placed.status, robot);
      await expect.poll(() => machines).toBe(1);
      await report(runner, placed.status, robot);
      expect([machines, runner.sessions.counts.active]).toEqual([1, 1]);
      call?.finish?.();
      await phone.closed;
      await expect.poll(endings).toEqual(["bot-finished"]);
    },
  );

  test("a machine that answered ends the running bot with machine, and the call", async () => {
    const runner = await open({ params: { autoHangUp: false } });
    const placed = await place(runner, { machineDetection: true });
    expect(placed.request).toMatchObject({ machineDetection: true });
    const phone = await pickUp(runner, placed);
    await expect.poll(() => outbound.fixture.calls.length).toBe(1);
    const reasons: string[] = [];
    outbound.fixture.calls[0]?.transport.on("clientDisconnected", (reason) => reasons.push(reason));
    await report(runner, placed.status, { call: "A1", state: "robot" });
    await phone.closed;
    expect(reasons).toEqual(["machine"]);
    expect(await outbound.fixture.calls[0]?.transport.closed).toBe("machine");
    await expect.poll(cancels).toEqual(["/calls/A1"]);
  });

  test("a machine that answered is not transferred, although the bot has asked for it", async () => {
    const runner = await open();
    const placed = await place(runner, { machineDetection: true });
    const phone = await pickUp(runner, placed);
    await expect.poll(() => outbound.fixture.calls.length).toBe(1);
    const transport = outbound.fixture.calls[0]?.transport as PhoneTransport;
    transport.play(ReadableStream.from([tone(440, { durationMs: 5_000, sampleRate: 8_000 })]));
    const transferring = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    await report(runner, placed.status, { call: "A1", state: "robot" });
    await phone.closed;
    await transferring;
    expect(outbound.fixture.api.requests.map(({ path }) => path)).toEqual(["/calls", "/calls/A1"]);
  });

  test("after the call is connected, a report of its end changes nothing: its socket decides", async () => {
    const runner = await open();
    const placed = await place(runner);
    const phone = await pickUp(runner, placed);
    await expect.poll(() => outbound.fixture.calls.length).toBe(1);
    for (const state of ["engaged", "unanswered", "broken", "over"]) {
      expect(await report(runner, placed.status, { call: "A1", state })).toMatchObject({ status: 200 });
    }
    expect(runner.sessions.counts.active).toBe(1);
    await phone.hangUp();
  });

  test("a report that arrives before the carrier's answer to the request waits for it", async () => {
    const placedAt = Promise.withResolvers<void>();
    outbound.placing = async () => {
      await placedAt.promise;
      return { status: 201, body: '{"call":"A1"}' };
    };
    const runner = await open();
    const reply = start(runner, { transport: "acme", dial: numbers });
    await expect.poll(() => outbound.fixture.api.requests.length).toBe(1);
    const url = new URL(JSON.parse(outbound.fixture.api.requests[0]?.body ?? "").status);
    let isReported = false;
    const reported = report(runner, url, { call: "A1", state: "engaged" }).then(() => {
      isReported = true;
    });
    for (let round = 0; round < 5; round++) await describeSession(runner, "unknown");
    expect([isReported, runner.sessions.counts.pending]).toEqual([false, 1]);
    placedAt.resolve();
    const [{ status, body }] = await Promise.all([reply, reported]);
    expect(status).toBe(200);
    await expect.poll(() => describeSession(runner, String(body.sessionId))).toMatchObject({ reason: "busy" });
  });
});

describe("a start request is rejected, and nothing is called,", () => {
  test.each<[string, FixtureOptions, object, number, string]>([
    ["without allowed prefixes", { acme: { allowDial: [] } }, {}, 403, "DIAL_DISABLED"],
    ["for a number outside the prefixes", {}, { to: "+19005550100" }, 403, "DIAL_NUMBER_REFUSED"],
    ["for a number that is not E.164", {}, { to: "+1555 0100" }, 400, "PHONE_NUMBER_INVALID"],
    ["for several numbers", {}, { to: ["+15550100", "+19005550100"] }, 400, "PHONE_NUMBER_INVALID"],
    ["without from", {}, { from: undefined }, 400, "PHONE_NUMBER_INVALID"],
    ["for an unknown field", {}, { url: "https://evil.example" }, 400, "BODY_INVALID"],
    ["without credentials", { acme: { key: undefined } }, {}, 500, "CARRIER_CREDENTIALS_MISSING"],
    ["without a public URL", { publicUrl: undefined }, {}, 421, "PUBLIC_URL_MISSING"],
  ])("%s", async (_, options, dial, status, code) => {
    const runner = await open(options);
    const reply = await start(runner, { transport: "acme", dial: { ...numbers, ...dial } });
    expect([reply.status, reply.body.code]).toEqual([status, code]);
    expect(outbound.fixture.api.requests).toEqual([]);
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("without the API key", async () => {
    const runner = await open();
    for (const key of ["", "another-key-of-letters"]) {
      const reply = await start(runner, { transport: "acme", dial: numbers }, key);
      expect([reply.status, reply.body.code]).toEqual([401, "KEY_REQUIRED"]);
    }
    expect(outbound.fixture.api.requests).toEqual([]);
  });

  test("beyond the limit per minute, which all carriers share", async () => {
    const bell = { key: "a key", apiUrl: outbound.fixture.api.url, allowDial: ["+1555"], dialLimit: 2 };
    const acme = { ...bell };
    const runner = await open({ acme, pluginOptions: { acme, bell } });
    await place(runner);
    expect((await start(runner, { transport: "bell", dial: numbers })).status).toBe(200);
    for (const transport of ["acme", "bell", "acme"]) {
      const reply = await start(runner, { transport, dial: numbers });
      expect([reply.status, reply.body.code]).toEqual([429, "RATE_EXCEEDED"]);
    }
    expect(outbound.fixture.api.requests.length).toBe(2);
  });

  test("beyond --max-sessions: a call that rings takes a place", async () => {
    const runner = await open({ maxSessions: 1 });
    await place(runner);
    const reply = await start(runner, { transport: "acme", dial: numbers });
    expect([reply.status, reply.body.code]).toEqual([429, "AT_CAPACITY"]);
  });

  test("when the carrier refuses, with the carrier's error code and without its text", async () => {
    const body = '{"code":21211,"message":"+15550100 is not a number"}';
    outbound.placing = async () => ({ status: 400, body });
    const runner = await open();
    const reply = await start(runner, { transport: "acme", dial: numbers });
    expect(reply).toMatchObject({ status: 502, body: { code: "CARRIER_REFUSED" } });
    expect(reply.body.detail).toContain("status 400, error 21211");
    await expect.poll(endings).toEqual(["failed"]);
  });
});

test("a runner without an API key does not start with --allow-dial", async () => {
  await expect(open({ apiKey: undefined })).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("a start request with dial and without a transport goes to a carrier", async () => {
  const page = definePage();
  const runner = await open({ plugins: [page, createTelephonyPlugin(createAcme())] });
  expect((await start(runner, {})).body).toEqual({ page: true });
  expect((await start(runner, { dial: numbers })).body).toEqual({ sessionId: expect.any(String) });
  expect(outbound.fixture.api.requests.length).toBe(1);
});

describe("the end of the session while the phone rings cancels the call:", () => {
  test.each<[string, (runner: Runner, id: string) => Promise<unknown>]>([
    [
      "DELETE /sessions/{id}",
      (runner, id) =>
        fetch(new URL(`/sessions/${id}`, runner.url), {
          method: "DELETE",
          headers: { authorization: `Bearer ${apiKey}`, connection: "close" },
        }),
    ],
    ["a drain", (runner) => runner.drain()],
    ["the end of the runner", (runner) => runner.close()],
  ])("%s", async (_, end) => {
    const runner = await open();
    const { sessionId, answer } = await place(runner);
    const session = runner.sessions.find(sessionId);
    await end(runner, sessionId);
    expect(cancels()).toEqual(["/calls/A1"]);
    expect(await session?.ended).toMatch(/^ended-by-request$|^shutdown$/);
    if (_ !== "DELETE /sessions/{id}") return;
    // The person may have answered meanwhile.
    expect(await report(runner, answer, { call: "A1" })).toEqual({
      status: 200,
      text: expect.stringContaining("<Bye"),
    });
    expect(outbound.fixture.calls).toEqual([]);
  });

  test("also while the request to the carrier is under way", async () => {
    const placedAt = Promise.withResolvers<void>();
    outbound.placing = async () => {
      await placedAt.promise;
      return { status: 201, body: '{"call":"A1"}' };
    };
    const runner = await open();
    const reply = start(runner, { transport: "acme", dial: numbers });
    await expect.poll(() => outbound.fixture.api.requests.length).toBe(1);
    await runner.sessions.endAll("ended-by-request");
    placedAt.resolve();
    expect(await reply).toMatchObject({ status: 409, body: { code: "CALL_ENDED" } });
    expect(cancels()).toEqual(["/calls/A1"]);
  });

  test.each(["close", "drain"] as const)("also when the runner %ss meanwhile", async (how) => {
    const placedAt = Promise.withResolvers<void>();
    outbound.placing = async () => {
      await placedAt.promise;
      return { status: 201, body: '{"call":"A1"}' };
    };
    const runner = await open();
    const reply = start(runner, { transport: "acme", dial: numbers });
    await expect.poll(() => outbound.fixture.api.requests.length).toBe(1);
    const closed = runner[how]();
    setTimeout(placedAt.resolve, 100);
    expect(await reply).toMatchObject({ status: 409, body: { detail: expect.stringContaining("is canceled") } });
    await closed;
    expect(cancels()).toEqual(["/calls/A1"]);
  });

  test("and says so when it cannot cancel the call yet", async () => {
    const placedAt = Promise.withResolvers<void>();
    outbound.placing = async () => {
      await placedAt.promise;
      return { status: 201, body: "{}" };
    };
    const runner = await open();
    const reply = start(runner, { transport: "acme", dial: numbers });
    await expect.poll(() => outbound.fixture.api.requests.length).toBe(1);
    await runner.sessions.endAll("ended-by-request");
    placedAt.resolve();
    expect(await reply).toMatchObject({ status: 409, body: { detail: expect.stringContaining("may ring") } });
    const { status } = JSON.parse(outbound.fixture.api.requests[0]?.body ?? "");
    await report(runner, new URL(status), { call: "A1", state: "ringing" });
    await expect.poll(cancels).toEqual(["/calls/A1"]);
  });

  test("and one whose id the carrier reports later, when it does", async () => {
    outbound.placing = async () => ({ status: 201, body: "{}" });
    const runner = await open();
    const { status } = await place(runner);
    await runner.sessions.endAll("ended-by-request");
    expect(cancels()).toEqual([]);
    const ringing = { call: "A1", state: "ringing" };
    await report(runner, status, ringing, "another key");
    expect(cancels(), "after a forged report").toEqual([]);
    expect(await report(runner, status, ringing)).toEqual({ status: 200, text: "" });
    await report(runner, status, ringing);
    await expect.poll(cancels).toEqual(["/calls/A1"]);
  });

  test.each(["rings", "is being placed"])("or says that the runner closes before, when the call %s", async (when) => {
    const placedAt = Promise.withResolvers<void>();
    const timers = new Set<object>();
    const clock: Clock = {
      now: systemClock.now,
      after(delayMs, callback) {
        const timer = {};
        const cancel = systemClock.after(delayMs, () => {
          timers.delete(timer);
          callback();
        });
        timers.add(timer);
        return () => {
          timers.delete(timer);
          cancel();
        };
      },
    };
    outbound.placing = async () => {
      await placedAt.promise;
      return { status: 201, body: "{}" };
    };
    const runner = await open({ clock });
    const reply = start(runner, { transport: "acme", dial: numbers });
    await expect.poll(() => outbound.fixture.api.requests.length).toBe(1);
    if (when === "is being placed") setTimeout(placedAt.resolve, 100);
    else {
      placedAt.resolve();
      await reply;
    }
    await runner.close();
    await reply;
    const warnings = outbound.fixture.logger.lines.filter(({ level }) => level === "warn");
    expect(warnings).toMatchObject([{ message: "call not canceled: its carrier has not reported its id" }]);
    expect(timers.size, "timers after the end").toBe(0);
    expect(cancels()).toEqual([]);
  });

  test("and hangs up one that was answered, and whose socket is not open yet", async () => {
    const runner = await open();
    const { answer } = await place(runner);
    expect((await report(runner, answer, { call: "A1" })).text).toContain("<Go");
    await runner.sessions.endAll("ended-by-request");
    expect(cancels()).toEqual(["/calls/A1"]);
  });
});

test("after a crash, another process cancels a call that rings", async () => {
  const runner = await open();
  await runner.cleanUpAfterCrash("acme", { placedId: "A9" });
  expect(cancels()).toEqual(["/calls/A9"]);
});

test("neither number is logged", async () => {
  const runner = await open();
  const placed = await place(runner);
  const phone = await pickUp(runner, placed);
  await expect.poll(() => outbound.fixture.calls.length).toBe(1);
  await phone.hangUp();
  await start(runner, { transport: "acme", dial: { ...numbers, to: "+19005550123" } });
  await start(runner, { transport: "acme", dial: { ...numbers, to: "+15550100 " } });
  outbound.placing = async () => ({ status: 400, body: '{"message":"+15550100 is not allowed"}' });
  await start(runner, { transport: "acme", dial: numbers });
  await expect.poll(() => runner.sessions.counts.active).toBe(0);
  expect(outbound.fixture.logger.lines.map(({ message }) => message)).toContain("call answered");
  expect(JSON.stringify(outbound.fixture.logger.lines)).not.toMatch(/5550100|5550199|5550123/);
});
