import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import { countSettledResources, findGaps, join, settleResources, tone } from "@pipecat-ts/runner-testing";
import type { PhoneCall } from "@pipecat-ts/runner-testing/phone";
import { afterEach, describe, expect, test } from "vitest";
import { createStage, type Stage, type StageOptions } from "./test/stage.ts";

let stage: Stage;
afterEach(async () => await stage.close());

/** A call whose bot has its transport. */
async function call(options: StageOptions = {}, answer?: Parameters<typeof createStage>[0]) {
  stage = await createStage(answer);
  const runner = await stage.open(options);
  const phone = await stage.phone.call({ at: runner.url });
  await expect.poll(() => stage.calls.length).toBe(1);
  const [bot] = stage.calls;
  if (!bot) throw new Error("no bot was called");
  return { runner, phone, ...bot };
}

async function* voice(hz: number, durationMs: number) {
  yield tone(hz, { durationMs, sampleRate: 8_000 });
}

/** How much the caller has heard. */
function heardMs({ playout }: PhoneCall): number {
  return playout.played().reduce((total, { frame }) => total + durationMs(frame), 0);
}

function sent(phone: PhoneCall, event: string) {
  return phone.received.filter(({ message }) => message.event === event);
}

describe("the end of a call", () => {
  test("by the bot: its last words are heard, then the carrier is told to hang up, once", async () => {
    const { transport, phone, finish, runner } = await call();
    transport.play(voice(440, 400));
    finish();
    await phone.closed;
    expect(stage.api.requests).toMatchObject([{ method: "DELETE", path: `/calls/${phone.callId}` }]);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(400);
    expect(stage.api.requests[0]?.atMs).toBeGreaterThanOrEqual(phone.playout.played().at(-1)?.atMs ?? 0);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
  });

  test("by the caller: the carrier is told nothing", async () => {
    const { phone, runner } = await call();
    await phone.hangUp();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(stage.api.requests).toEqual([]);
  });

  test("by a socket that is closed in order, but without the last word that the carrier has: it is told once", async () => {
    const { phone, runner } = await call({}, () => ({ status: 404 }));
    await phone.hangUp({ stop: false });
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(stage.api.requests).toMatchObject([{ method: "DELETE", path: `/calls/${phone.callId}` }]);
  });

  test("by a network that is lost: the call may go on, and be billed, so the carrier is told once", async () => {
    const { phone, runner } = await call({}, () => ({ status: 404 }));
    phone.drop();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(stage.api.requests).toHaveLength(1);
    expect(stage.logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual(
      stage.logger.lines.filter(({ message }) => message.startsWith("bell") || message.includes("cannot reach")),
    );
  });

  test("by its last message: nothing that comes after it is heard", async () => {
    const { phone, transport, runner } = await call();
    const digits: string[] = [];
    transport.on("dtmf", (digit) => digits.push(digit));
    phone.sendRaw('{"event":"stop"}');
    phone.press("1");
    phone.sendRaw("junk");
    await phone.closed;
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(digits).toEqual([]);
    expect(stage.logger.lines.filter(({ message }) => message.startsWith("Skipped"))).toEqual([]);
  });

  test("with autoHangUp false: the socket is closed and the call left to the carrier", async () => {
    const { phone, finish } = await call({ params: { autoHangUp: false } });
    finish();
    await expect(phone.closed).resolves.toMatchObject({ code: 1000 });
    expect(stage.api.requests).toEqual([]);
  });

  test("without credentials: the socket is closed", async () => {
    const { phone, transport, finish } = await call({ acme: { key: undefined } });
    await expect(transport.hangUp()).rejects.toMatchObject({
      code: "CARRIER_CREDENTIALS_MISSING",
      fix: "Set ACME_KEY.",
    });
    finish();
    await phone.closed;
    expect(stage.api.requests).toEqual([]);
  });

  test("of a bot that never connected: the carrier is told all the same", async () => {
    stage = await createStage();
    const runner = await stage.open({ bot: () => undefined });
    const phone = await stage.phone.call({ at: runner.url });
    await phone.closed;
    expect(stage.api.requests).toHaveLength(1);
  });

  test("of a caller who leaves a bot that never connects is the caller's doing", async () => {
    stage = await createStage();
    const gate = Promise.withResolvers<void>();
    const runner = await stage.open({ bot: () => gate.promise });
    const phone = await stage.phone.call({ at: runner.url });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    const [session] = runner.sessions;
    await phone.hangUp();
    gate.resolve();
    await session?.ended;
    expect(await session?.ended).toBe("caller-left");
  });

  test("at an API that fails: it is tried twice and said once; the session ends in time", async () => {
    const { phone, finish, runner } = await call({}, () => ({ status: 500 }));
    finish();
    await phone.closed;
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    await expect.poll(() => stage.api.requests.length).toBe(2);
    const told = stage.logger.lines.filter(({ message }) => message.startsWith("Acme did not hang up: status 500."));
    expect(told).toMatchObject([{ level: "warn" }]);
  });

  test("at an API that does not answer: a runner that closes gives it up", async () => {
    const { runner } = await call({}, () => undefined);
    await runner.close();
    const given = () => stage.logger.lines.filter(({ message }) => message.startsWith("Acme did not hang up"));
    await expect.poll(() => given().length, { timeout: 2_000 }).toBe(1);
    expect(stage.api.requests).toHaveLength(1);
  });

  test("at an API that is slow: a runner that closes waits for it", async () => {
    const answered = Promise.withResolvers<{ status: number }>();
    const { phone, runner } = await call({}, () => answered.promise);
    const closing = runner.close();
    await phone.closed;
    expect(stage.api.requests).toHaveLength(1);
    const told = () => stage.logger.lines.filter(({ message }) => message === "The carrier was told to hang up.");
    expect(told()).toEqual([]);
    answered.resolve({ status: 200 });
    await closing;
    expect(told()).toHaveLength(1);
  });

  test("at an API that does not answer: the socket is closed 1.2 s later", async () => {
    const before = await countSettledResources();
    const { phone, finish, runner } = await call({}, () => undefined);
    const began = performance.now();
    finish();
    await phone.closed;
    expect(performance.now() - began).toBeLessThan(3 * 1_200);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    await stage.close();
    expect(await settleResources(before)).toEqual([]);
    expect(stage.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    stage = await createStage();
  });
});

describe("hangUp()", () => {
  test("plays what is queued, and hangs up also where that is not automatic", async () => {
    const { phone, transport } = await call({ params: { autoHangUp: false } });
    transport.play(voice(440, 300));
    await transport.hangUp();
    await phone.closed;
    expect(stage.api.requests).toHaveLength(1);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(300);
  });
});

describe("transferTo()", () => {
  test("waits for the announcement, hands the call on, and does not hang up", async () => {
    const { phone, transport, runner } = await call();
    transport.play(voice(440, 300));
    await transport.transferTo("+15550123");
    await phone.closed;
    expect(stage.api.requests).toMatchObject([
      { method: "POST", path: `/calls/${phone.callId}/transfer`, body: "+15550123" },
    ]);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(300);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(JSON.stringify(stage.logger.lines)).not.toContain("5550123");
  });

  test("is not overtaken by the bot's return", async () => {
    const { phone, transport, finish } = await call();
    transport.play(voice(440, 200));
    const transferring = transport.transferTo("sip:agent@example.com");
    finish();
    await transferring;
    await phone.closed;
    expect(stage.api.requests).toMatchObject([{ method: "POST", body: "sip:agent@example.com" }]);
  });

  test("that the carrier refuses is told, and the call goes on", async () => {
    const { phone, transport, finish } = await call({}, ({ method }) => ({ status: method === "POST" ? 400 : 200 }));
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_REFUSED" });
    transport.play(voice(440, 100));
    await expect.poll(() => heardMs(phone)).toBeGreaterThanOrEqual(100);
    finish();
    await phone.closed;
    expect(stage.api.requests.map(({ method }) => method)).toEqual(["POST", "DELETE"]);
  });

  test("asked for twice hands the call on once, and the second leaves the first alone", async () => {
    const { phone, transport } = await call({}, ({ method, body }) => {
      return { status: method === "POST" && body === "+15550123" ? 200 : 422 };
    });
    transport.play(voice(440, 200));
    const first = transport.transferTo("+15550123");
    const second = expect(transport.transferTo("+15550124")).rejects.toMatchObject({ code: "TRANSFER_UNDER_WAY" });
    await Promise.all([first, second]);
    await expect(transport.transferTo("+15550125")).rejects.toMatchObject({ code: "TRANSFER_UNDER_WAY" });
    await phone.closed;
    expect(stage.api.requests).toMatchObject([{ method: "POST", body: "+15550123" }]);
  });

  test("may be tried again when it was refused", async () => {
    const { phone, transport } = await call({}, ({ body }) => ({ status: body === "+15550124" ? 200 : 422 }));
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_REFUSED" });
    await transport.transferTo("+15550124");
    await phone.closed;
    expect(stage.api.requests.map(({ body }) => body)).toEqual(["+15550123", "+15550124"]);
  });

  test("takes numbers and SIP URIs, and nothing that could be more", async () => {
    const { transport } = await call();
    for (const number of ["", "agent", "+1 555 0100", "+15550100<Dial>", 'sip:a"b', "sip:a b@c", "+"]) {
      await expect(transport.transferTo(number)).rejects.toMatchObject({ code: "PHONE_NUMBER_INVALID" });
    }
    expect(stage.api.requests).toEqual([]);
  });

  test("is refused without credentials", async () => {
    const { transport } = await call({ acme: { key: undefined } });
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_CREDENTIALS_MISSING" });
  });

  test("is refused when the call is over, also while it waits", async () => {
    const { phone, transport } = await call();
    transport.play(voice(440, 5_000));
    const waiting = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    await phone.hangUp();
    await waiting;
    await transport.closed;
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect(stage.api.requests).toEqual([]);
  });
});

test("a caller who leaves during the last words, all of which are under way, is not handed on", async () => {
  const { phone, transport } = await call();
  const writing = transport.output.getWriter().write(tone(440, { durationMs: 2_000, sampleRate: 8_000 }));
  await expect.poll(() => heardMs(phone)).toBeGreaterThan(0);
  const waiting = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
  await phone.hangUp();
  await Promise.all([waiting, writing]);
  expect(stage.api.requests).toEqual([]);
});

describe("keys", () => {
  test("reach the bot, those too that were pressed before it listened", async () => {
    stage = await createStage();
    const gate = Promise.withResolvers<void>();
    const digits: string[] = [];
    const runner = await stage.open({
      async bot(args) {
        await gate.promise;
        const { createTransport } = await import("@pipecat-ts/runner-core");
        const transport = await createTransport(args, { [args.transport]: () => ({}) } as never);
        transport.on("dtmf", (digit) => digits.push(digit));
        await transport.closed;
      },
    });
    const phone = await stage.phone.call({ at: runner.url });
    for (const digit of ["1", "#", "x", "12"]) phone.press(digit);
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    gate.resolve();
    await expect.poll(() => digits).toEqual(["1", "#"]);
    phone.press("*");
    await expect.poll(() => digits).toEqual(["1", "#", "*"]);
  });

  test("are dialled as tones where the carrier cannot", async () => {
    const { phone, transport } = await call();
    await transport.sendDtmf("12");
    expect(heardMs(phone)).toBeGreaterThanOrEqual(400);
    await expect(transport.sendDtmf("1,2")).rejects.toMatchObject({ code: "DTMF_INVALID" });
    const dialling = expect(transport.sendDtmf("123456")).rejects.toMatchObject({ code: "DTMF_INTERRUPTED" });
    transport.interrupt();
    await dialling;
  });
});

describe("barge-in", () => {
  test("has the carrier clear at once, and is silent at the caller's ear within 100 ms", async () => {
    const { phone, transport } = await call();
    transport.play(voice(440, 5_000));
    await expect.poll(() => heardMs(phone)).toBeGreaterThanOrEqual(200);
    const atMs = performance.now();
    transport.interrupt();
    await expect.poll(() => sent(phone, "clear").length).toBe(1);
    // 5 ms, asserted at three times its value.
    expect((sent(phone, "clear")[0]?.atMs ?? Number.POSITIVE_INFINITY) - atMs).toBeLessThan(15);
    expect(phone.playout.played().at(-1)?.atMs ?? 0).toBeLessThan(atMs + 300);
    expect(sent(phone, "media").every(({ atMs: at }) => at < atMs + 15)).toBe(true);
  });
});

test("what was heard is what the carrier acknowledges, however far away it is", async () => {
  stage = await createStage();
  const runner = await stage.open();
  const delayMs = 300;
  await stage.phone.call({ at: runner.url, network: { delayMs } });
  await expect.poll(() => stage.calls.length).toBe(1);
  const began = performance.now();
  const { playedMs, interrupted } = (await stage.calls[0]?.transport.play(voice(440, 200)).done) ?? {};
  expect(performance.now() - began).toBeGreaterThanOrEqual(200 + 2 * delayMs - 50);
  expect([playedMs, interrupted]).toEqual([200, false]);
});

describe("messages of no use", () => {
  test("are skipped, counted and said once, and end no call", async () => {
    const { phone, transport } = await call();
    const errors: Error[] = [];
    transport.on("error", (error) => errors.push(error));
    for (const junk of [
      "",
      "junk",
      "[]",
      "null",
      "{}",
      '{"event":7}',
      '{"event":"media","payload":"!!"}',
      '{"explode":true}',
    ])
      phone.sendRaw(junk);
    phone.sendRaw(Buffer.from([1, 2, 3]));
    for (let n = 0; n < 3; n++) phone.sendRaw('{"event":"error","title":"malformed_frame"}');
    phone.press("5");
    const digit = new Promise((resolve) => transport.on("dtmf", resolve));
    await expect(digit).resolves.toBe("5");
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatchObject({ code: "CARRIER_REFUSED", message: 'Acme reports "malformed_frame".' });
    const told = (start: string) => stage.logger.lines.filter(({ message }) => message.startsWith(start));
    expect(told("Skipped")).toHaveLength(1);
    expect(told("Acme reports")).toHaveLength(1);
    await phone.hangUp();
    await expect
      .poll(() => told("Not all that the carrier sent"))
      .toMatchObject([{ fields: { skippedMessages: 9, carrierErrors: 3 } }]);
  });

  test("above 1 MiB close the socket with 1009 and end that call alone", async () => {
    const { phone, runner } = await call();
    const other = await stage.phone.call({ at: runner.url });
    await expect.poll(() => runner.sessions.counts.active).toBe(2);
    phone.sendRaw(`{"event":"media","payload":"${"A".repeat(1024 * 1024)}"}`);
    await expect(phone.closed).resolves.toMatchObject({ code: 1009 });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    other.send(`{"event":"media","payload":"${"A".repeat(1_000_000)}"}`);
    other.press("1");
    const digit = new Promise((resolve) => stage.calls[1]?.transport.on("dtmf", resolve));
    await expect(digit).resolves.toBe("1");
  });
});

describe("the caller's audio", () => {
  test("is put in order and kept in time when pieces are lost or overtaken", async () => {
    stage = await createStage();
    const runner = await stage.open();
    const phone = await stage.phone.call({ at: runner.url, network: { swapEvery: 5, dropEvery: 7, delayMs: 20 } });
    await expect.poll(() => stage.calls.length).toBe(1);
    const frames: AudioFrame[] = [];
    const reading = (async () => {
      for await (const frame of stage.calls[0]?.transport.listen() ?? []) frames.push(frame);
    })();
    await phone.speak(tone(400, { durationMs: 1_400, sampleRate: 16_000 }));
    await expect.poll(() => frames.length).toBeGreaterThanOrEqual(55);
    await phone.hangUp();
    await reading;
    // Ten pieces of 20 ms are lost; each is a silence of its length, and the others are whole.
    const gaps = findGaps(join(frames));
    expect(gaps.length).toBeGreaterThanOrEqual(7);
    for (const { durationMs } of gaps) expect(durationMs).toBeLessThanOrEqual(45);
    expect(frames.length).toBeLessThanOrEqual(80);
  });
});

test("a second socket for a call that is being served is refused", async () => {
  const { phone, runner } = await call();
  const second = await stage.phone.call({
    at: runner.url,
    callId: phone.callId,
    socketUrl: `ws://${runner.url.host}/ws`,
  });
  await expect(second.closed).resolves.toEqual({ code: 1008, reason: "SESSION_ALIAS_TAKEN" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  expect(phone.protocolErrors).toEqual([]);
  phone.drop();
});
