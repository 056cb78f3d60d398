import { type Bot, createTransport, type RunnerArguments, type TransportPlugin } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { cut, excerpt, findVoice, join, measurePitch, send, tone, until, within } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { describe, expect, test } from "vitest";
import plugin from "./plugin.ts";
import { openFixture } from "./test/fixture.ts";
import { createPhone, type Phone } from "./test/phone.ts";
import { business, connectOf, newCallId, numbers, post, terminateOf } from "./test/webhooks.ts";

const timeoutMs = 20_000;

/** A bot that returns the caller's audio until `finish` is called. */
function createEcho() {
  const calls: RunnerArguments[] = [];
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const bot: Bot = async (args) => {
    calls.push(args);
    const transport = await createTransport(args, { webrtc: () => ({}) });
    await Promise.race([transport.input.pipeTo(transport.output), finished]);
  };
  return { bot, calls, finish };
}

/** Another transport, which `/start` may choose. */
const pigeon: TransportPlugin = {
  apiVersion: 1,
  name: "pigeon",
  open: (runner) => ({ start: () => ({ sessionId: runner.createSession().id, body: {} }) }),
};

const silentBot: Bot = async (args) => {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await transport.closed;
};

/** Whether all sessions have ended. */
function isIdle(runner: Runner): boolean {
  return [...runner.sessions].length === 0;
}

async function hearEcho(phone: Phone): Promise<void> {
  const frames = cut(tone(440, { durationMs: 200, sampleRate: phone.sampleRate }));
  const startedMs = performance.now();
  let sent = 0;
  await until(
    "the caller hears the echo",
    () => {
      for (; performance.now() >= startedMs + sent * 20; sent++) {
        const frame = frames[sent % frames.length];
        if (frame) phone.speak(frame.samples);
      }
      const received = join(phone.playout.played().map(({ frame }) => frame));
      const { toMs } = findVoice(received) ?? { toMs: 0 };
      return Math.round((measurePitch(excerpt(received, toMs - 200, toMs)) ?? 0) / 10) === 44;
    },
    timeoutMs,
  );
}

describe("a call", () => {
  test("is pre-accepted, accepted with the same answer, connected in both directions, and ended by the caller", async () => {
    const echo = createEcho();
    const { runner, api, logger } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);

    const [preAccept, accept] = api.requests;
    expect(preAccept).toEqual({
      path: `/v23.0/${business.phoneNumberId}/calls`,
      authorization: `Bearer ${business.token}`,
      body: {
        messaging_product: "whatsapp",
        action: "pre_accept",
        call_id: phone.callId,
        to: numbers.caller,
        session: { sdp_type: "answer", sdp: expect.any(String) },
      },
    });
    expect(accept?.body).toEqual({ ...preAccept?.body, action: "accept" });
    const answer = preAccept?.body.session?.sdp ?? "";
    expect(answer.match(/^a=fingerprint:.*$/gm)).toEqual([expect.stringMatching(/^a=fingerprint:sha-256 /)]);
    expect(answer.match(/^a=setup:.*$/gm)).toEqual(["a=setup:active"]);

    await phone.hangUp();
    await until("the session has ended", () => isIdle(runner), timeoutMs);
    expect(api.actions).toEqual(["pre_accept", "accept"]);
    expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("has transport webrtc for the bot, and the call in callData and body", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api);
    await phone.ring();
    await until("the bot runs", () => echo.calls.length > 0, timeoutMs);
    expect(echo.calls[0]).toMatchObject({
      transport: "webrtc",
      callData: {
        callId: phone.callId,
        streamId: phone.callId,
        from: numbers.caller,
        to: numbers.called,
        callerName: "Ada",
        phoneNumberId: business.phoneNumberId,
        timestamp: "1671644824",
        ctaPayload: "from the shop",
      },
      body: { id: phone.callId, from: numbers.caller, event: "connect", session: { sdp_type: "offer" } },
    });
  });

  test("supports no messages: sendMessage rejects at once", async () => {
    const { promise: rejection, resolve } = Promise.withResolvers<unknown>();
    const { runner, api } = await openFixture(async (args) => {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      transport.sendMessage("hello").catch(resolve);
      await transport.closed;
    });
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    // Before the timeout of 10 s for callers who may still open a data channel.
    expect(await within("the message is rejected", rejection, 9_000)).toMatchObject({ code: "MESSAGES_UNSUPPORTED" });
  });

  test("is terminated when the bot ends", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);
    echo.finish();
    await until("the session has ended", () => isIdle(runner), timeoutMs);
    expect(api.requests.at(-1)?.body).toEqual({
      messaging_product: "whatsapp",
      action: "terminate",
      call_id: phone.callId,
    });
    expect(api.actions).toEqual(["pre_accept", "accept", "terminate"]);
  });

  test("is terminated when the bot closes its transport, although the bot works on", async () => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
    const { runner, api } = await openFixture(async (args) => {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      await transport.close();
      await finished;
    });
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    await until("the call is terminated", () => api.actions.includes("terminate"), 5_000);
    expect(runner.sessions.counts.active).toBe(1);
    finish();
    await until("the session has ended", () => isIdle(runner), timeoutMs);
    expect(api.actions).toEqual(["pre_accept", "accept", "terminate"]);
  });

  test("that does not connect is accepted anyway, and the bot starts", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api, { reachable: false });
    await phone.ring();
    await until("the bot runs", () => echo.calls.length > 0, timeoutMs);
    expect(api.actions).toEqual(["pre_accept", "accept"]);
  });

  test("that the caller ends while it rings starts no bot and sends no further request", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api, { reachable: false });
    await phone.ring();
    await phone.hangUp();
    await until("the session has ended", () => isIdle(runner), timeoutMs);
    expect([api.actions, echo.calls]).toEqual([["pre_accept"], []]);
  });

  test("is taken even if the runner is restricted to another transport", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot, { plugins: [pigeon, plugin], transport: "pigeon" });
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);
    expect(runner.transports.find(({ name }) => name === "whatsapp")).toMatchObject({ startable: false });
  });

  test("is not reachable through the routes of webrtc", async () => {
    const { runner, api } = await openFixture(silentBot, { plugins: [webrtc, plugin] });
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    await until("the bot runs", () => runner.sessions.counts.active > 0, timeoutMs);
    const [session] = [...runner.sessions];
    const offer = { sdp: await phone.peer.offer(), type: "offer" };
    for (const [path, pcId] of [
      ["/api/offer", `${session?.id}.1`],
      [`/sessions/${session?.id}/api/offer`, `${session?.id}.1`],
      [`/sessions/${session?.id}/api/offer`, null],
    ] as const) {
      const body = { ...offer, pc_id: pcId, restart_pc: true };
      const { status, json } = await send(new URL(path, runner.url), { method: "POST", body });
      expect([status, json]).toEqual([404, expect.objectContaining({ code: "SESSION_UNKNOWN" })]);
    }
    expect(runner.sessions.counts.active).toBe(1);
  });
});

describe("webhooks", () => {
  test("that repeat, or arrive after the end of the call, begin no call", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const phone = await createPhone(runner, api);
    await phone.ring();
    await phone.answered();
    const connect = connectOf(phone.callId, phone.peer.connection.localDescription?.sdp ?? "");
    expect((await post(runner, connect)).status).toBe(200);
    await phone.hangUp();
    await until("the session has ended", () => isIdle(runner), timeoutMs);
    expect((await post(runner, connect)).status).toBe(200);
    const late = newCallId();
    expect((await post(runner, terminateOf(late))).status).toBe(200);
    expect((await post(runner, connectOf(late, "v=0"))).status).toBe(200);
    expect([api.actions, echo.calls.length, isIdle(runner)]).toEqual([["pre_accept", "accept"], 1, true]);
  });
});

describe("a call that cannot be taken", () => {
  test("at capacity is rejected, and other calls continue", async () => {
    const { runner, api } = await openFixture(silentBot, { maxSessions: 1 });
    const first = await createPhone(runner, api);
    await first.ring();
    await first.answered();
    const second = newCallId();
    await post(runner, connectOf(second, "v=0"));
    await until("the second call is rejected", () => api.actions.includes("reject"), timeoutMs);
    expect(api.requests.at(-1)?.body).toEqual({ messaging_product: "whatsapp", action: "reject", call_id: second });
    expect(runner.sessions.counts).toEqual({ active: 1, pending: 0 });
    const metrics = await (await fetch(new URL("/metrics", runner.url))).text();
    expect(metrics).toContain('pipecat_rejections_total{code="AT_CAPACITY"} 1');
  });

  test("is rejected at once when ringing calls have reserved all places", async () => {
    const { runner, api } = await openFixture(silentBot, { maxSessions: 2 });
    const ringing = [];
    for (let count = 0; count < 2; count++) ringing.push(await createPhone(runner, api, { reachable: false }));
    await Promise.all(ringing.map((phone) => phone.ring()));
    const third = await createPhone(runner, api);
    await post(runner, connectOf(third.callId, third.peer.connection.localDescription?.sdp ?? ""));
    await until("the third call is rejected", () => api.actions.includes("reject"), timeoutMs);
    expect(runner.sessions.counts).toEqual({ active: 0, pending: 2 });
    expect(api.requests.filter(({ body }) => body.call_id === third.callId).map(({ body }) => body.action)).toEqual([
      "reject",
    ]);

    await ringing[0]?.hangUp();
    await until("a place is free", () => runner.sessions.counts.pending === 1, timeoutMs);
    const fourth = await createPhone(runner, api, { reachable: false });
    await fourth.ring();
    expect(api.actions.filter((action) => action === "reject")).toHaveLength(1);
  });

  test("while draining is rejected, and the live call continues", async () => {
    const echo = createEcho();
    const { runner, api } = await openFixture(echo.bot);
    const first = await createPhone(runner, api);
    await first.ring();
    await first.answered();
    const drained = runner.drain();
    await post(runner, connectOf(newCallId(), "v=0"));
    await until("the second call is rejected", () => api.actions.includes("reject"), timeoutMs);
    await hearEcho(first);
    await first.hangUp();
    await within("the runner has drained", drained, timeoutMs);
  });

  const details = `wacid.HBgLMTIwMTU1NTAxMjM and +1 (201) 555-0123 and ${numbers.caller}: Fingerprint algo is not SHA256`;
  const error = { message: "Invalid parameter", code: 100, error_subcode: 2_494_010, error_data: { details } };
  test.each([
    ["a 400", { status: 400, body: { error } }],
    ["a 500", { status: 500, body: "<html>" }],
    ["success: false", { status: 200, body: { success: false } }],
    ["text instead of JSON", { status: 200, body: "thanks" }],
  ] as const)("because WhatsApp answers %s leaves nothing behind", async (_, reply) => {
    for (const failing of ["pre_accept", "accept"] as const) {
      const echo = createEcho();
      const { runner, api, logger } = await openFixture(echo.bot);
      api.reply = ({ body }) => (body.action === failing ? reply : {});
      const phone = await createPhone(runner, api);
      await phone.ring();
      await until("the session has ended", () => api.actions.length > 1 && isIdle(runner), timeoutMs);
      expect(api.actions.at(-1)).toBe(failing === "accept" ? "terminate" : "reject");
      expect(echo.calls).toEqual([]);
      const warning = logger.lines.find(({ level }) => level === "warn");
      expect(warning?.fields).toMatchObject({
        code: "WHATSAPP_REFUSED",
        reason: expect.stringContaining(String(reply.status)),
      });
      if (reply.status === 400) expect(warning?.fields.reason).toContain("100/2494010");
      expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "transport-failed" } });
    }
  });

  test("because WhatsApp does not answer does not delay closing the runner", async () => {
    const { runner, api } = await openFixture(silentBot);
    api.reply = () => "hang";
    const phone = await createPhone(runner, api);
    await phone.ring();
    await within("the runner closes", runner.close(), 10_000);
    expect(isIdle(runner)).toBe(true);
  });
});

test("closing the runner terminates every call", async () => {
  const { runner, api } = await openFixture(silentBot);
  const phones = await Promise.all(Array.from({ length: 4 }, () => createPhone(runner, api)));
  await Promise.all(phones.map((phone) => phone.ring()));
  await until("all bots run", () => runner.sessions.counts.active === 4, timeoutMs);
  await runner.close();
  const terminated = api.requests.filter(({ body }) => body.action === "terminate").map(({ body }) => body.call_id);
  expect(terminated.toSorted()).toEqual(phones.map(({ callId }) => callId).toSorted());
});
