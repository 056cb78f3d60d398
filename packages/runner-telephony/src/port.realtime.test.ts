import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import { afterEach, describe, expect, test, vi } from "vitest";
import { countSettledResources, findGaps, join, settleResources, tone } from "../../runner-testing/src/index.ts";
import type { PhoneTransport } from "./arguments.ts";
import type { PhoneCall } from "./caller/index.ts";
import { connectPhone, createFixture, type Fixture, type FixtureOptions } from "./test/fixture.ts";

// The runner verifies calls with it, and uses the API for verified calls only.
const publicUrl = new URL("https://bots.example.com");
let fixture: Fixture;
afterEach(async () => await fixture.close());

/** A call whose bot has its transport. */
async function call(options: FixtureOptions = {}, answer?: Parameters<typeof createFixture>[0]) {
  fixture = await createFixture(answer);
  const runner = await fixture.open({ publicUrl, ...options });
  const phone = await fixture.phone.call({ at: runner.url, publicUrl });
  await expect.poll(() => fixture.calls.length).toBe(1);
  const [bot] = fixture.calls;
  if (!bot) throw new Error("no bot was called");
  return { runner, phone, ...bot };
}

async function* voice(hz: number, durationMs: number) {
  yield tone(hz, { durationMs, sampleRate: 8_000 });
}

/** Audio that the caller has heard, in ms. */
function heardMs({ playout }: PhoneCall): number {
  return playout.played().reduce((total, { frame }) => total + durationMs(frame), 0);
}

function sent(phone: PhoneCall, event: string) {
  return phone.received.filter(({ message }) => message.event === event);
}

describe("a call ends", () => {
  test("when the bot returns: its audio is played, then the carrier is asked once to hang up", async () => {
    const { transport, phone, finish, runner } = await call();
    transport.play(voice(440, 400));
    finish();
    await phone.closed;
    expect(fixture.api.requests).toMatchObject([{ method: "DELETE", path: `/calls/${phone.callId}` }]);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(400);
    expect(fixture.api.requests[0]?.atMs).toBeGreaterThanOrEqual(phone.playout.played().at(-1)?.atMs ?? 0);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
  });

  test("when the caller hangs up: the carrier gets no request", async () => {
    const { phone, runner } = await call();
    await phone.hangUp();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(fixture.api.requests).toEqual([]);
  });

  test("when the socket closes with 1000 but without a stop message: the carrier is asked once to hang up", async () => {
    const { phone, runner } = await call({}, () => ({ status: 404 }));
    await phone.hangUp({ stop: false });
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(fixture.api.requests).toMatchObject([{ method: "DELETE", path: `/calls/${phone.callId}` }]);
  });

  test("when the network breaks: the call may continue and be billed, so the carrier is asked once to hang up", async () => {
    const { phone, runner } = await call({}, () => ({ status: 404 }));
    phone.drop();
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(fixture.api.requests).toHaveLength(1);
    expect(fixture.logger.lines.filter(({ message }) => message === "hang-up failed")).toEqual([]);
  });

  test("with the stop message: later messages are ignored", async () => {
    const { phone, transport, runner } = await call();
    const digits: string[] = [];
    transport.on("dtmf", (digit) => digits.push(digit));
    phone.sendRaw('{"event":"stop"}');
    phone.press("1");
    phone.sendRaw("junk");
    await phone.closed;
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(digits).toEqual([]);
    expect(fixture.logger.lines.filter(({ message }) => message === "unknown message skipped")).toEqual([]);
  });

  test("with autoHangUp false: only the socket closes", async () => {
    const { phone, finish } = await call({ params: { autoHangUp: false } });
    finish();
    await expect(phone.closed).resolves.toMatchObject({ code: 1000 });
    expect(fixture.api.requests).toEqual([]);
  });

  test("without credentials: only the socket closes", async () => {
    const { phone, transport, finish } = await call({ acme: { key: undefined } });
    await expect(transport.hangUp()).rejects.toMatchObject({
      code: "CARRIER_CREDENTIALS_MISSING",
      fix: "Set ACME_KEY.",
    });
    finish();
    await phone.closed;
    expect(fixture.api.requests).toEqual([]);
  });

  test("when the bot returns without createTransport: the carrier is asked to hang up", async () => {
    fixture = await createFixture();
    const runner = await fixture.open({ publicUrl, bot: () => undefined });
    const phone = await fixture.phone.call({ at: runner.url, publicUrl });
    await phone.closed;
    expect(fixture.api.requests).toHaveLength(1);
  });

  test("with caller-left when the caller hangs up before createTransport", async () => {
    fixture = await createFixture();
    const connecting = Promise.withResolvers<void>();
    const runner = await fixture.open({ publicUrl, bot: () => connecting.promise });
    const phone = await fixture.phone.call({ at: runner.url, publicUrl });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    const [session] = runner.sessions;
    await phone.hangUp();
    connecting.resolve();
    await session?.ended;
    expect(await session?.ended).toBe("caller-left");
  });

  test("in time when the API fails: two attempts, one log line", async () => {
    const { phone, finish, runner } = await call({}, () => ({ status: 500 }));
    finish();
    await phone.closed;
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    await expect.poll(() => fixture.api.requests.length).toBe(2);
    const failures = fixture.logger.lines.filter(({ message }) => message === "hang-up failed");
    expect(failures).toMatchObject([{ level: "warn", fields: { err: { code: "CARRIER_REFUSED" } } }]);
  });

  test("when the runner closes and the API does not answer: the request is aborted", async () => {
    const { runner } = await call({}, () => undefined);
    await runner.close();
    const failures = () => fixture.logger.lines.filter(({ message }) => message === "hang-up failed");
    await expect.poll(() => failures().length, { timeout: 2_000 }).toBe(1);
    expect(fixture.api.requests).toHaveLength(1);
  });

  test("when the runner closes and the API is slow: the runner waits for it", async () => {
    const answered = Promise.withResolvers<{ status: number }>();
    const { phone, runner } = await call({}, () => answered.promise);
    const closing = runner.close();
    await phone.closed;
    expect(fixture.api.requests).toHaveLength(1);
    const successes = () => fixture.logger.lines.filter(({ message }) => message === "call hung up");
    expect(successes()).toEqual([]);
    answered.resolve({ status: 200 });
    await closing;
    expect(successes()).toHaveLength(1);
  });

  test("1.2 s later when the API does not answer", async () => {
    const before = await countSettledResources();
    const { phone, finish, runner } = await call({}, () => undefined);
    const began = performance.now();
    finish();
    await phone.closed;
    expect(performance.now() - began).toBeLessThan(3 * 1_200);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    await fixture.close();
    expect(await settleResources(before)).toEqual([]);
    expect(fixture.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    fixture = await createFixture();
  });
});

describe("hangUp()", () => {
  test("plays queued audio and hangs up, also with autoHangUp false", async () => {
    const { phone, transport } = await call({ params: { autoHangUp: false } });
    transport.play(voice(440, 300));
    await transport.hangUp();
    await phone.closed;
    expect(fixture.api.requests).toHaveLength(1);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(300);
  });

  test("hangs up a call whose media stream has ended without a hang-up, once", async () => {
    const { phone, transport } = await call({ params: { autoHangUp: false } }, () => ({ status: 200 }));
    await transport.close();
    await phone.closed;
    expect(fixture.api.requests).toEqual([]);
    await transport.hangUp();
    await transport.hangUp();
    expect(fixture.api.requests.map(({ method }) => method)).toEqual(["DELETE"]);
  });
});

describe("transferTo()", () => {
  test("plays queued audio, transfers the call, and does not hang up", async () => {
    const { phone, transport, runner } = await call();
    transport.play(voice(440, 300));
    await transport.transferTo("+15550123");
    await phone.closed;
    expect(fixture.api.requests).toMatchObject([
      { method: "POST", path: `/calls/${phone.callId}/transfer`, body: "+15550123" },
    ]);
    expect(heardMs(phone)).toBeGreaterThanOrEqual(300);
    await expect.poll(() => runner.sessions.counts.active).toBe(0);
    expect(JSON.stringify(fixture.logger.lines)).not.toContain("5550123");
  });

  test("completes when the bot returns meanwhile", async () => {
    const { phone, transport, finish } = await call();
    transport.play(voice(440, 200));
    const transferring = transport.transferTo("sip:agent@example.com");
    finish();
    await transferring;
    await phone.closed;
    expect(fixture.api.requests).toMatchObject([{ method: "POST", body: "sip:agent@example.com" }]);
  });

  test("rejects when the carrier refuses, and the call continues", async () => {
    const { phone, transport, finish } = await call({}, ({ method }) => ({ status: method === "POST" ? 400 : 200 }));
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_REFUSED" });
    transport.play(voice(440, 100));
    await expect.poll(() => heardMs(phone)).toBeGreaterThanOrEqual(100);
    finish();
    await phone.closed;
    expect(fixture.api.requests.map(({ method }) => method)).toEqual(["POST", "DELETE"]);
  });

  test("transfers once when called twice; the second call does not affect the first", async () => {
    const { phone, transport } = await call({}, ({ method, body }) => {
      return { status: method === "POST" && body === "+15550123" ? 200 : 422 };
    });
    transport.play(voice(440, 200));
    const first = transport.transferTo("+15550123");
    const second = expect(transport.transferTo("+15550124")).rejects.toMatchObject({ code: "TRANSFER_UNDER_WAY" });
    await Promise.all([first, second]);
    await expect(transport.transferTo("+15550125")).rejects.toMatchObject({ code: "TRANSFER_UNDER_WAY" });
    await phone.closed;
    expect(fixture.api.requests).toMatchObject([{ method: "POST", body: "+15550123" }]);
  });

  test("can be called again after the carrier refused", async () => {
    const { phone, transport } = await call({}, ({ body }) => ({ status: body === "+15550124" ? 200 : 422 }));
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_REFUSED" });
    await transport.transferTo("+15550124");
    await phone.closed;
    expect(fixture.api.requests.map(({ body }) => body)).toEqual(["+15550123", "+15550124"]);
  });

  test("rejects anything but phone numbers and SIP URIs", async () => {
    const { transport } = await call();
    for (const number of ["", "agent", "+1 555 0100", "+15550100<Dial>", 'sip:a"b', "sip:a b@c", "+"]) {
      await expect(transport.transferTo(number)).rejects.toMatchObject({ code: "PHONE_NUMBER_INVALID" });
    }
    expect(fixture.api.requests).toEqual([]);
  });

  test("rejects without credentials", async () => {
    const { transport } = await call({ acme: { key: undefined } });
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CARRIER_CREDENTIALS_MISSING" });
  });

  test("rejects while the call is hung up, and the carrier gets no further request", async () => {
    const answered = Promise.withResolvers<{ status: number }>();
    const { phone, transport } = await call({}, () => answered.promise);
    void transport.close();
    await expect.poll(() => fixture.api.requests.length).toBe(1);
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    answered.resolve({ status: 200 });
    await phone.closed;
    expect(fixture.api.requests.map(({ method }) => method)).toEqual(["DELETE"]);
  });

  test("rejects when the session is ended by request while audio is played, and the call is hung up", async () => {
    const { phone, transport, runner } = await call();
    transport.play(voice(440, 5_000));
    const waiting = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    await expect.poll(() => heardMs(phone)).toBeGreaterThan(0);
    await runner.sessions.endAll("ended-by-request");
    await waiting;
    expect(fixture.api.requests.map(({ method }) => method)).toEqual(["DELETE"]);
  });

  test("rejects when the call has ended, also while audio is played", async () => {
    const { phone, transport } = await call();
    transport.play(voice(440, 5_000));
    const waiting = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    await phone.hangUp();
    await waiting;
    await transport.closed;
    await expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect(fixture.api.requests).toEqual([]);
  });
});

test("a caller who hangs up while the last audio plays is not transferred", async () => {
  const { phone, transport } = await call();
  const writing = transport.output.getWriter().write(tone(440, { durationMs: 2_000, sampleRate: 8_000 }));
  await expect.poll(() => heardMs(phone)).toBeGreaterThan(0);
  const waiting = expect(transport.transferTo("+15550123")).rejects.toMatchObject({ code: "CALL_ENDED" });
  await phone.hangUp();
  await Promise.all([waiting, writing]);
  expect(fixture.api.requests).toEqual([]);
});

describe("DTMF", () => {
  test("reaches the bot, also when it was pressed before the bot listened", async () => {
    fixture = await createFixture();
    const connecting = Promise.withResolvers<void>();
    const digits: string[] = [];
    const runner = await fixture.open({
      async bot(args) {
        await connecting.promise;
        const transport = await connectPhone(args);
        transport.on("dtmf", (digit) => digits.push(digit));
        await transport.closed;
      },
    });
    const phone = await fixture.phone.call({ at: runner.url, publicUrl });
    for (const digit of ["1", "#", "x", "12"]) phone.press(digit);
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    connecting.resolve();
    await expect.poll(() => digits).toEqual(["1", "#"]);
    phone.press("*");
    await expect.poll(() => digits).toEqual(["1", "#", "*"]);
  });

  test("is sent as tones when the carrier cannot send DTMF", async () => {
    const { phone, transport } = await call();
    await transport.sendDtmf("12");
    expect(heardMs(phone)).toBeGreaterThanOrEqual(400);
    await expect(transport.sendDtmf("1,2")).rejects.toMatchObject({ code: "DTMF_INVALID" });
    const sending = expect(transport.sendDtmf("123456")).rejects.toMatchObject({ code: "DTMF_INTERRUPTED" });
    transport.interrupt();
    await sending;
  });
});

describe("barge-in", () => {
  test("clears the audio at the carrier at once, and sends no more", async () => {
    const { phone, transport } = await call();
    transport.play(voice(440, 5_000));
    await expect.poll(() => heardMs(phone)).toBeGreaterThanOrEqual(200);
    const atMs = performance.now();
    transport.interrupt();
    await expect.poll(() => sent(phone, "clear").length).toBe(1);
    // Three times the measured 5 ms.
    expect((sent(phone, "clear")[0]?.atMs ?? Number.POSITIVE_INFINITY) - atMs).toBeLessThan(15);
    expect(phone.playout.played().at(-1)?.atMs ?? 0).toBeLessThan(atMs + 300);
    expect(sent(phone, "media").every(({ atMs: at }) => at < atMs + 15)).toBe(true);
  });
});

test("playedMs counts the audio that the carrier confirmed, also over a slow network", async () => {
  fixture = await createFixture();
  const runner = await fixture.open({ publicUrl });
  const delayMs = 300;
  await fixture.phone.call({ at: runner.url, publicUrl, network: { delayMs } });
  await expect.poll(() => fixture.calls.length).toBe(1);
  const began = performance.now();
  const { playedMs, interrupted } = (await fixture.calls[0]?.transport.play(voice(440, 200)).done) ?? {};
  expect(performance.now() - began).toBeGreaterThanOrEqual(200 + 2 * delayMs - 50);
  expect([playedMs, interrupted]).toEqual([200, false]);
});

describe("unknown messages", () => {
  test("are skipped, counted, and logged once; the call continues", async () => {
    const { phone, transport } = await call();
    const errors: Error[] = [];
    transport.on("error", (error) => errors.push(error));
    for (const junk of ["", "junk", "[]", "null", "{}", '{"event":7}', '{"event":"media","payload":"!!"}'])
      phone.sendRaw(junk);
    phone.sendRaw(Buffer.from([1, 2, 3]));
    for (let n = 0; n < 3; n++) phone.sendRaw('{"event":"error","title":"malformed_frame"}');
    phone.press("5");
    const digit = new Promise((resolve) => transport.on("dtmf", resolve));
    await expect(digit).resolves.toBe("5");
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatchObject({ code: "CARRIER_REFUSED", message: 'Acme reported "malformed_frame".' });
    const logged = (text: string) => fixture.logger.lines.filter(({ message }) => message === text);
    expect(logged("unknown message skipped")).toHaveLength(1);
    expect(logged("carrier reported an error")).toHaveLength(1);
    await phone.hangUp();
    await expect
      .poll(() => logged("messages not used"))
      .toMatchObject([{ fields: { skippedMessages: 8, carrierErrors: 3 } }]);
  });

  test("above 64 KiB close the socket with 1009 and end only this call", async () => {
    const { phone, runner } = await call();
    const other = await fixture.phone.call({ at: runner.url, publicUrl });
    await expect.poll(() => runner.sessions.counts.active).toBe(2);
    phone.sendRaw(`{"event":"media","payload":"${"A".repeat(65_536)}"}`);
    await expect(phone.closed).resolves.toMatchObject({ code: 1009 });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    other.sendRaw(`{"event":"media","payload":"${"A".repeat(65_000)}"}`);
    other.press("1");
    const digit = new Promise((resolve) => fixture.calls[1]?.transport.on("dtmf", resolve));
    await expect(digit).resolves.toBe("1");
  });
});

describe("the caller's audio", () => {
  test("is reordered, and lost pieces are replaced with silence", async () => {
    fixture = await createFixture();
    const runner = await fixture.open({ publicUrl });
    const phone = await fixture.phone.call({
      at: runner.url,
      publicUrl,
      network: { swapEvery: 5, dropEvery: 7, delayMs: 20 },
    });
    await expect.poll(() => fixture.calls.length).toBe(1);
    const frames: AudioFrame[] = [];
    const reading = (async () => {
      for await (const frame of fixture.calls[0]?.transport.listen() ?? []) frames.push(frame);
    })();
    await phone.speak(tone(400, { durationMs: 1_400, sampleRate: 16_000 }));
    await expect.poll(() => frames.length).toBeGreaterThanOrEqual(55);
    await phone.hangUp();
    await reading;
    // Ten pieces of 20 ms are lost. Each is replaced with silence of its length.
    const gaps = findGaps(join(frames));
    expect(gaps.length).toBeGreaterThanOrEqual(7);
    for (const { durationMs } of gaps) expect(durationMs).toBeLessThanOrEqual(45);
    expect(frames.length).toBeLessThanOrEqual(80);
  });
});

test("a second socket for an active call is rejected", async () => {
  const { phone, runner } = await call();
  const second = await fixture.phone.call({
    at: runner.url,
    publicUrl,
    callId: phone.callId,
    socketUrl: "wss://bots.example.com/ws",
  });
  await expect(second.closed).resolves.toEqual({ code: 1008, reason: "SESSION_ALIAS_TAKEN" });
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  expect(phone.protocolErrors).toEqual([]);
  phone.drop();
});

test("a call whose bot has closed its media stream and still works gets another bot with its next one", async () => {
  fixture = await createFixture();
  const worksOn = Promise.withResolvers<void>();
  const streams: PhoneTransport[] = [];
  const runner = await fixture.open({
    publicUrl,
    async bot(args) {
      const transport = await connectPhone(args, { autoHangUp: false });
      streams.push(transport);
      if (streams.length > 1) return void (await transport.closed);
      await transport.close();
      await worksOn.promise;
    },
  });
  const first = await fixture.phone.call({ at: runner.url, publicUrl });
  await first.closed;
  const second = await fixture.phone.call({ at: runner.url, publicUrl, callId: first.callId });
  await expect.poll(() => streams.length).toBe(2);
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 2 });
  expect(second.protocolErrors).toEqual([]);
  worksOn.resolve();
  await expect.poll(() => runner.sessions.counts.active).toBe(1);
  const third = await fixture.phone.call({
    at: runner.url,
    publicUrl,
    callId: first.callId,
    socketUrl: "wss://bots.example.com/ws",
  });
  await expect(third.closed).resolves.toEqual({ code: 1008, reason: "SESSION_ALIAS_TAKEN" });
  second.drop();
});

test("a call whose socket broke before createTransport is not hung up while its next media stream is open", async () => {
  fixture = await createFixture();
  const loaded = Promise.withResolvers<void>();
  let bots = 0;
  const runner = await fixture.open({
    publicUrl,
    async bot(args) {
      bots += 1;
      if (bots === 1) return await loaded.promise;
      await (await connectPhone(args)).closed;
    },
  });
  const first = await fixture.phone.call({ at: runner.url, publicUrl });
  await expect.poll(() => bots).toBe(1);
  first.drop();
  await first.closed;
  const second = await vi.waitFor(() => fixture.phone.call({ at: runner.url, publicUrl, callId: first.callId }));
  await expect.poll(() => bots).toBe(2);
  loaded.resolve();
  await expect.poll(() => runner.sessions.counts.active).toBe(1);
  expect(fixture.api.requests).toEqual([]);
  second.drop();
  await expect.poll(() => fixture.api.requests.length).toBe(1);
});

describe("after a crash, another process does not hang up a call", () => {
  /** The requests that the cleanup sends. */
  async function cleanUp(act: (bot: PhoneTransport, phone: PhoneCall) => Promise<unknown>, autoHangUp = true) {
    let remembered: object = {};
    const observer = {
      remembered(_: unknown, record: object) {
        remembered = record;
      },
    };
    const { runner, phone, transport } = await call({ observer, params: { autoHangUp } });
    await act(transport, phone);
    const count = fixture.api.requests.length;
    await runner.cleanUpAfterCrash("acme", remembered);
    return fixture.api.requests.slice(count).map(({ method }) => method);
  }

  test("that its bot has transferred", async () => {
    expect(await cleanUp((bot) => bot.transferTo("+15550123"))).toEqual([]);
  });

  test("that its carrier has ended or continues without the media stream", async () => {
    expect(await cleanUp((_, phone) => phone.hangUp())).toEqual([]);
  });

  test("with autoHangUp false", async () => {
    expect(await cleanUp(async () => undefined, false)).toEqual([]);
  });

  test("unless its media stream is open", async () => {
    expect(await cleanUp(async () => undefined)).toEqual(["DELETE"]);
  });
});

test("an exception in the codec ends only its call", async () => {
  const { phone, runner } = await call();
  const other = await fixture.phone.call({ at: runner.url, publicUrl });
  await expect.poll(() => runner.sessions.counts.active).toBe(2);
  phone.sendRaw('{"explode":true}');
  await phone.closed;
  await expect.poll(() => runner.sessions.counts.active).toBe(1);
  expect(fixture.logger.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  other.press("1");
  const digit = new Promise((resolve) => fixture.calls[1]?.transport.on("dtmf", resolve));
  await expect(digit).resolves.toBe("1");
});
