import { type Bot, createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { cut, excerpt, findVoice, join, measurePitch, send, tone, until, within } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { describe, expect, test, vi } from "vitest";
import plugin from "./plugin.ts";
import other from "./test/other-plugin.ts";
import { createPhone, type Phone } from "./test/phone.ts";
import { openStage } from "./test/stage.ts";
import { business, connectOf, newCallId, numbers, post, terminateOf } from "./test/webhooks.ts";

vi.setConfig({ testTimeout: 60_000 });
const patienceMs = 20_000;

/** A bot that says to the caller what the caller says, and ends when it is told to. */
function createEcho() {
  const calls: RunnerArguments[] = [];
  const { promise: told, resolve: finish } = Promise.withResolvers<void>();
  const bot: Bot = async (args) => {
    calls.push(args);
    const transport = await createTransport(args, { webrtc: () => ({}) });
    await Promise.race([transport.input.pipeTo(transport.output), told]);
  };
  return { bot, calls, finish };
}

const silentBot: Bot = async (args) => {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await transport.closed;
};

/** Whether every session is over and released. */
function idle(runner: Runner): boolean {
  return [...runner.sessions].length === 0;
}

async function hearEcho(phone: Phone): Promise<void> {
  const frames = cut(tone(440, { durationMs: 200, sampleRate: phone.sampleRate }));
  const beganMs = performance.now();
  let spoken = 0;
  await until(
    "the caller hears the echo",
    () => {
      for (; performance.now() >= beganMs + spoken * 20; spoken++) {
        const frame = frames[spoken % frames.length];
        if (frame) phone.speak(frame.samples);
      }
      const heard = join(phone.playout.played().map(({ frame }) => frame));
      const { toMs } = findVoice(heard) ?? { toMs: 0 };
      return Math.round((measurePitch(excerpt(heard, toMs - 200, toMs)) ?? 0) / 10) === 44;
    },
    patienceMs,
  );
}

describe("a call", () => {
  test("is pre-accepted, accepted with the same answer, heard both ways, and ended by the caller", async () => {
    const echo = createEcho();
    const { runner, graph, logger } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);

    const [preAccept, accept] = graph.requests;
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
    await until("the session is over", () => idle(runner), patienceMs);
    expect(graph.actions).toEqual(["pre_accept", "accept"]);
    expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("is one of webrtc for the bot, with the call in its arguments", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await until("the bot runs", () => echo.calls.length > 0, patienceMs);
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

  test("carries no messages, which the bot is told at once", async () => {
    const { promise: refusal, resolve } = Promise.withResolvers<unknown>();
    const { runner, graph } = await openStage(async (args) => {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      transport.sendMessage("hello").catch(resolve);
      await transport.closed;
    });
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    // One who might open a data channel yet would be waited for.
    expect(await within("the message is refused", refusal, 9_000)).toMatchObject({ code: "MESSAGES_UNSUPPORTED" });
  });

  test("that the bot ends is terminated", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);
    echo.finish();
    await until("the session is over", () => idle(runner), patienceMs);
    expect(graph.requests.at(-1)?.body).toEqual({
      messaging_product: "whatsapp",
      action: "terminate",
      call_id: phone.callId,
    });
    expect(graph.actions).toEqual(["pre_accept", "accept", "terminate"]);
  });

  test("whose connection does not come is accepted all the same, and the bot starts", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph, { reachable: false });
    await phone.ring();
    await until("the bot runs", () => echo.calls.length > 0, patienceMs);
    expect(graph.actions).toEqual(["pre_accept", "accept"]);
  });

  test("that is given up while it rings starts no bot and needs no word", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph, { reachable: false });
    await phone.ring();
    await phone.hangUp();
    await until("the session is over", () => idle(runner), patienceMs);
    expect([graph.actions, echo.calls]).toEqual([["pre_accept"], []]);
  });

  test("is taken also where the runner is restricted to another transport", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot, { plugins: [other, plugin], transport: "other" });
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    await hearEcho(phone);
    expect(runner.transports.find(({ name }) => name === "whatsapp")).toMatchObject({ selectable: false });
  });
  test("cannot be taken over through the routes of webrtc", async () => {
    const { runner, graph } = await openStage(silentBot, { plugins: [webrtc, plugin] });
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    await until("the bot runs", () => runner.sessions.counts.active > 0, patienceMs);
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
  test("that come twice, or again after the end, or too late, begin nothing", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await phone.answered();
    const connect = connectOf(phone.callId, phone.peer.connection.localDescription?.sdp ?? "");
    expect((await post(runner, connect)).status).toBe(200);
    await phone.hangUp();
    await until("the session is over", () => idle(runner), patienceMs);
    expect((await post(runner, connect)).status).toBe(200);
    const late = newCallId();
    expect((await post(runner, terminateOf(late))).status).toBe(200);
    expect((await post(runner, connectOf(late, "v=0"))).status).toBe(200);
    expect([graph.actions, echo.calls.length, idle(runner)]).toEqual([["pre_accept", "accept"], 1, true]);
  });

  test("for another business number are left alone", async () => {
    const { runner, graph } = await openStage(silentBot, { whatsapp: { phoneNumberId: "1" } });
    expect((await post(runner, connectOf(newCallId(), "v=0"))).status).toBe(200);
    expect([graph.actions, idle(runner)]).toEqual([[], true]);
  });
});

describe("where a call cannot be taken", () => {
  test("because all places are taken, it is rejected, and others go on", async () => {
    const { runner, graph } = await openStage(silentBot, { maxSessions: 1 });
    const first = await createPhone(runner, graph);
    await first.ring();
    await first.answered();
    const second = newCallId();
    await post(runner, connectOf(second, "v=0"));
    await until("the second call is rejected", () => graph.actions.includes("reject"), patienceMs);
    expect(graph.requests.at(-1)?.body).toEqual({ messaging_product: "whatsapp", action: "reject", call_id: second });
    expect(runner.sessions.counts).toEqual({ active: 1, pending: 0 });
    const figures = await (await fetch(new URL("/metrics", runner.url))).text();
    expect(figures).toContain('pipecat_refusals_total{code="AT_CAPACITY"} 1');
  });

  test("because others that still ring have the places, it is rejected at once, and never accepted", async () => {
    const { runner, graph } = await openStage(silentBot, { maxSessions: 2 });
    const ringing = [];
    for (let count = 0; count < 2; count++) ringing.push(await createPhone(runner, graph, { reachable: false }));
    await Promise.all(ringing.map((phone) => phone.ring()));
    const third = await createPhone(runner, graph);
    await post(runner, connectOf(third.callId, third.peer.connection.localDescription?.sdp ?? ""));
    await until("the third call is rejected", () => graph.actions.includes("reject"), patienceMs);
    expect(runner.sessions.counts).toEqual({ active: 0, pending: 2 });
    expect(graph.requests.filter(({ body }) => body.call_id === third.callId).map(({ body }) => body.action)).toEqual([
      "reject",
    ]);

    await ringing[0]?.hangUp();
    await until("a place is free", () => runner.sessions.counts.pending === 1, patienceMs);
    const fourth = await createPhone(runner, graph, { reachable: false });
    await fourth.ring();
    expect(graph.actions.filter((action) => action === "reject")).toHaveLength(1);
  });

  test("because the runner drains, it is rejected, and the live call goes on", async () => {
    const echo = createEcho();
    const { runner, graph } = await openStage(echo.bot);
    const first = await createPhone(runner, graph);
    await first.ring();
    await first.answered();
    const drained = runner.drain();
    await post(runner, connectOf(newCallId(), "v=0"));
    await until("the second call is rejected", () => graph.actions.includes("reject"), patienceMs);
    await hearEcho(first);
    await first.hangUp();
    await within("the runner is drained", drained, patienceMs);
  });

  test("because its offer is none, it is rejected", async () => {
    const { runner, graph, logger } = await openStage(silentBot);
    await post(runner, connectOf(newCallId(), "v=0\r\n"));
    await until("it is rejected", () => graph.actions.includes("reject"), patienceMs);
    await until("the session is over", () => idle(runner), patienceMs);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: "warn", fields: expect.objectContaining({ code: "OFFER_INVALID" }) }),
    );
  });

  const details = `wacid.HBgLMTIwMTU1NTAxMjM and +1 (201) 555-0123 and ${numbers.caller}: Fingerprint algo is not SHA256`;
  const error = { message: "Invalid parameter", code: 100, error_subcode: 2_494_010, error_data: { details } };
  test.each([
    ["a 400", { status: 400, body: { error } }],
    ["a 500", { status: 500, body: "<html>" }],
    ["success: false", { status: 200, body: { success: false } }],
    ["no JSON", { status: 200, body: "thanks" }],
  ] as const)("because WhatsApp answers %s, everything of it is gone", async (_, reply) => {
    for (const failing of ["pre_accept", "accept"] as const) {
      const echo = createEcho();
      const { runner, graph, logger } = await openStage(echo.bot);
      graph.reply = ({ body }) => (body.action === failing ? reply : {});
      const phone = await createPhone(runner, graph);
      await phone.ring();
      await until("the session is over", () => graph.actions.length > 1 && idle(runner), patienceMs);
      expect(graph.actions.at(-1)).toBe(failing === "accept" ? "terminate" : "reject");
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

  test("because WhatsApp does not answer, the runner closes in time", async () => {
    const { runner, graph } = await openStage(silentBot);
    graph.reply = () => "hang";
    const phone = await createPhone(runner, graph);
    await phone.ring();
    await within("the runner closes", runner.close(), 10_000);
    expect(idle(runner)).toBe(true);
  });
});

test("closing the runner terminates every call", async () => {
  const { runner, graph } = await openStage(silentBot);
  const phones = await Promise.all(Array.from({ length: 4 }, () => createPhone(runner, graph)));
  await Promise.all(phones.map((phone) => phone.ring()));
  await until("all bots run", () => runner.sessions.counts.active === 4, patienceMs);
  await runner.close();
  const terminated = graph.requests.filter(({ body }) => body.action === "terminate").map(({ body }) => body.call_id);
  expect(terminated.toSorted()).toEqual(phones.map(({ callId }) => callId).toSorted());
});

describe("settings", () => {
  test("that are missing are named, and the runner starts without WhatsApp", async () => {
    const { phoneNumberId, verificationToken } = business;
    const { runner } = await openStage(silentBot, {
      pluginOptions: { whatsapp: { phoneNumberId, verificationToken } },
    });
    expect(runner.transports).toEqual([
      expect.objectContaining({
        availability: {
          state: "unavailable",
          reason: "WHATSAPP_APP_SECRET, WHATSAPP_TOKEN are not set.",
          fix: expect.any(String),
        },
      }),
    ]);
    expect((await post(runner, terminateOf(newCallId()))).status).toBe(404);
  });

  test("that --whatsapp asks for and are missing stop the start", async () => {
    const options = { bot: silentBot, plugins: [plugin], port: 0 };
    const runner = createRunner({ ...options, pluginOptions: { whatsapp: { whatsapp: true } }, env: {} });
    await expect(runner.listen()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/APP_SECRET, .*PHONE_NUMBER_ID, .*TOKEN, .*VERIFICATION_TOKEN are not set/),
    });
  });
});
