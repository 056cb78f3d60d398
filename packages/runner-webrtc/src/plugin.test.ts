import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { RunnerArguments, TransportPlugin } from "@pipecat-ts/runner-core";
import type { Runner } from "@pipecat-ts/runner-host";
import { send, until } from "@pipecat-ts/runner-testing";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { SmallWebRTCRunnerArguments } from "./arguments.ts";
import { readAnswer } from "./peer/test/answer-reader.ts";
import { chromium, esp32, voiceAlone } from "./peer/test/offers.ts";
import plugin from "./plugin.ts";
import { echo, listen, offer, patch, pcIdOf, rejection, start } from "./test/fixture.ts";

const timeoutMs = 10_000;
/** The runner of most tests, whose callers stay connecting: closing one takes a while. */
let runner: Runner;
const seen: SmallWebRTCRunnerArguments[] = [];
beforeAll(async () => {
  const bot = (args: RunnerArguments) => {
    seen.push(args as SmallWebRTCRunnerArguments);
    return echo(args);
  };
  runner = await listen(bot, { maxSessions: 100 });
});
afterAll(() => runner.close());

/** A runner of the test's own. */
async function open(options: Parameters<typeof listen>[1] = {}): Promise<Runner> {
  const own = await listen(echo, options);
  onTestFinished(() => own.close());
  return own;
}

/** The arguments of the bot of this session, when it runs. */
async function argumentsOf(sessionId: string): Promise<SmallWebRTCRunnerArguments | undefined> {
  const args = () => seen.find((each) => each.sessionId === sessionId);
  await until("the bot runs", () => args() !== undefined, timeoutMs);
  return args();
}

describe("POST /start", () => {
  const servers = [{ urls: ["stun:127.0.0.1:9"] }];

  test("replies with the session's id, and omits iceConfig without servers", async () => {
    const { json, headers } = await start(runner);
    expect(json).toEqual({ sessionId: headers["x-session-id"] });
    expect(runner.sessions.find(String(headers["x-session-id"]))?.state).toBe("pending");
  });

  test("replies with the configured servers, whatever the request", async () => {
    const own = await open({ pluginOptions: { webrtc: { iceServers: servers } } });
    for (const fields of [{}, { enableDefaultIceServers: true }])
      expect((await start(own, fields)).json).toEqual({
        sessionId: expect.any(String),
        iceConfig: { iceServers: servers },
      });
  });

  test("lists the URLs of a server that was configured with one", async () => {
    const own = await open({ pluginOptions: { webrtc: { iceServers: [{ urls: "stun:127.0.0.1:9" }] } } });
    expect((await start(own)).json).toMatchObject({ iceConfig: { iceServers: servers } });
  });

  test("callers get servers of their own, and the bot uses those of --ice-servers", async () => {
    const callerIceServers = [{ urls: ["turn:127.0.0.1:9"], username: "caller", credential: "secret" }];
    const own = await open({ pluginOptions: { webrtc: { iceServers: servers, callerIceServers } } });
    expect((await start(own)).json).toMatchObject({ iceConfig: { iceServers: callerIceServers } });
    const wrong = [
      { relayOnly: true, callerIceServers }, // The bot has no TURN server.
      { callerIceServers: [{ urls: ["http://127.0.0.1"] }] },
    ];
    for (const webrtc of wrong) {
      await expect(open({ pluginOptions: { webrtc } })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  });

  test("replies with a default server only on request", async () => {
    const iceConfig = { iceServers: [{ urls: ["stun:stun.l.google.com:19302"] }] };
    const { json } = await start(runner, { enableDefaultIceServers: true });
    expect(json).toEqual({ sessionId: expect.any(String), iceConfig });
    const { json: other } = await start(runner, { enableDefaultIceServers: "true" });
    expect(other).toEqual({ sessionId: expect.any(String) });
  });
});

describe("the bot's body", () => {
  test.each([
    ["is request_data", { request_data: "a", requestData: "b" }, "a"],
    ["is requestData rather than the body of /start", { requestData: { name: "b" } }, { name: "b" }],
    ["is requestData when request_data is null", { request_data: null, requestData: "b" }, "b"],
    ["is requestData when request_data is empty", { request_data: "", requestData: "b" }, "b"],
    ["is the body of /start", {}, "started"],
    ["is the body of /start when the others are falsy", { request_data: 0, requestData: false }, "started"],
    ["is the body of /start when the others are empty objects", { request_data: {}, requestData: [] }, "started"],
  ])("%s", async (_, fields, body) => {
    const { sessionId } = (await start(runner, { body: "started" })).json as { readonly sessionId: string };
    await offer(runner, { sessionId, ...fields });
    const args = await argumentsOf(sessionId);
    expect(args).toMatchObject({ transport: "webrtc", body });
    expect(args?.webrtcConnection.pcId).toBe(`${sessionId}.1`);
  });

  test("without /start, is that of the offer, or undefined", async () => {
    for (const [fields, body] of [
      [{ request_data: 1 }, 1],
      [{ requestData: 2 }, 2],
      [{}, undefined],
    ] as const) {
      const { headers } = await offer(runner, fields);
      expect((await argumentsOf(String(headers["x-session-id"])))?.body).toBe(body);
    }
  });
});

describe("an answer", () => {
  test("is complete and has a length, at each URL of the session", async () => {
    for (const url of ["/api/offer", "/sessions/ID/api/offer", "/api/offer?session_id=ID"]) {
      const sessionId = (await start(runner)).headers["x-session-id"] as string;
      const answer = await send(new URL(url.replace("ID", sessionId), runner.url), {
        method: "POST",
        body: { sdp: chromium, type: "offer", pc_id: null, restart_pc: false },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        "content-length": String(Buffer.byteLength(answer.text)),
        "content-type": expect.stringMatching(/^application\/json/),
        "x-session-id": url.includes("ID") ? sessionId : expect.not.stringMatching(sessionId),
      });
      expect(answer.headers).not.toHaveProperty("transfer-encoding");
      const { sdp, type } = answer.json as { readonly sdp: string; readonly type: string };
      expect(type).toBe("answer");
      expect(pcIdOf(answer)).toBe(`${answer.headers["x-session-id"]}.1`);
      readAnswer(sdp, chromium);
    }
  });

  test("to an ESP32, which sends two fields and no /start, fits into its buffer of 4,096 bytes", async () => {
    const answer = await send(new URL("/api/offer", runner.url), {
      method: "POST",
      body: { sdp: esp32, type: "offer" },
    });
    expect(answer.status).toBe(200);
    expect(Buffer.byteLength(answer.text)).toBeLessThan(4_096);
    readAnswer((answer.json as { readonly sdp: string }).sdp, esp32);
  });
});

describe("an invalid offer is rejected with JSON and leaves no session", () => {
  test.each([
    ["without SDP", { sdp: undefined }, 400, "BODY_INVALID"],
    ["with a number as SDP", { sdp: 7 }, 400, "BODY_INVALID"],
    ["that is an answer", { type: "answer" }, 400, "BODY_INVALID"],
    ["with a number as pc_id", { pc_id: 7 }, 400, "BODY_INVALID"],
    ["with a string as restart_pc", { restart_pc: "yes" }, 400, "BODY_INVALID"],
    ["with invalid SDP", { sdp: "hello" }, 400, "OFFER_INVALID"],
    ["without audio", { sdp: chromium.replace("m=audio", "m=video") }, 400, "OFFER_INVALID"],
    ["with an unknown pc_id", { pc_id: "nobody.1" }, 404, "SESSION_UNKNOWN"],
    ["with an unknown pc_id and restart_pc", { pc_id: "nobody.1", restart_pc: true }, 404, "SESSION_UNKNOWN"],
    ["with an empty pc_id", { pc_id: "" }, 404, "SESSION_UNKNOWN"],
    ["for an unknown session", { sessionId: "nobody" }, 404, "SESSION_UNKNOWN"],
  ])("%s", async (_, fields, status, code) => {
    const before = runner.sessions.counts;
    expect(await offer(runner, fields)).toMatchObject(rejection(status, code));
    expect(runner.sessions.counts).toEqual(before);
  });

  test("for a started session, which then accepts a valid one", async () => {
    const sessionId = String((await start(runner)).headers["x-session-id"]);
    expect(await offer(runner, { sessionId, sdp: "hello" })).toMatchObject(rejection(400, "OFFER_INVALID"));
    expect(runner.sessions.find(sessionId)?.state).toBe("pending");
    expect((await offer(runner, { sessionId })).status).toBe(200);
  });

  test("for a session of another transport", async () => {
    const pigeon: TransportPlugin = {
      apiVersion: 1,
      name: "pigeon",
      open: (context) => ({ start: () => ({ sessionId: context.createSession().id, body: {} }) }),
    };
    const own = await open({ plugins: [plugin, pigeon] });
    const sessionId = String((await start(own, { transport: "pigeon" })).headers["x-session-id"]);
    expect(await offer(own, { sessionId })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
    expect(await offer(own, { pc_id: sessionId })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
  });

  test("with a session's id as pc_id", async () => {
    const sessionId = String((await offer(runner)).headers["x-session-id"]);
    expect(await offer(runner, { pc_id: sessionId })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
  });
});

describe("a session id that the caller chose", () => {
  const offerWith = (id: string, fields: Readonly<Record<string, unknown>> = {}, own = runner) =>
    send(new URL(`/api/offer?session_id=${encodeURIComponent(id)}`, own.url), {
      method: "POST",
      body: { sdp: chromium, type: "offer", pc_id: null, restart_pc: false, ...fields },
    });

  test("is the id that the bot gets, with the body of the offer", async () => {
    const answer = await offerWith("my-id_1", { requestData: "mine" });
    expect(answer).toMatchObject({ status: 200, headers: { "x-session-id": "my-id_1" } });
    expect(await argumentsOf("my-id_1")).toMatchObject({ sessionId: "my-id_1", body: "mine" });
    expect(runner.sessions.find("my-id_1")?.state).toBe("active");
  });

  test("is a single one, with 1 to 128 letters, digits, - and _", async () => {
    for (const id of ["", "a b", "x".repeat(129), "a&session_id=b"]) {
      const url = new URL(`/api/offer?session_id=${id.replace(" ", "%20")}`, runner.url);
      const answer = await send(url, { method: "POST", body: { sdp: chromium, type: "offer" } });
      expect(answer, id).toMatchObject(rejection(400, "REQUEST_INVALID"));
    }
  });

  test("does not let others take over the call", async () => {
    const first = await offerWith("my-id_2");
    const pcId = pcIdOf(first);
    expect(pcId).not.toContain("my-id_2");
    for (const fields of [{}, { restart_pc: true }])
      expect(await offerWith("my-id_2", fields)).toMatchObject(rejection(409, "SESSION_ID_TAKEN"));
    expect(await offer(runner, { sessionId: "my-id_2" })).toMatchObject(rejection(409, "SESSION_ID_TAKEN"));
    for (const pc_id of ["my-id_2", "my-id_2.1"]) {
      expect(await offer(runner, { pc_id, restart_pc: true })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
      expect(await patch(runner, { pc_id, candidates: [] })).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
    }
    expect((await argumentsOf("my-id_2"))?.webrtcConnection.pcId).toBe(pcId);
    // The caller itself continues with its pc_id.
    const restarted = await offerWith("my-id_2", { pc_id: pcId, restart_pc: true });
    expect(restarted.status).toBe(200);
    expect((await argumentsOf("my-id_2"))?.webrtcConnection.pcId).toBe(pcIdOf(restarted));
    expect((await patch(runner, { pc_id: pcIdOf(restarted), candidates: [] })).status).toBe(200);
  });

  test("must not be that of a session of another transport", async () => {
    const pigeon: TransportPlugin = {
      apiVersion: 1,
      name: "pigeon",
      open: (context) => ({ start: () => ({ sessionId: context.createSession({ id: "x" }).id, body: {} }) }),
    };
    const own = await open({ plugins: [plugin, pigeon] });
    await start(own, { transport: "pigeon" });
    expect(await offerWith("x", {}, own)).toMatchObject(rejection(409, "SESSION_ID_TAKEN"));
  });

  test.each(["", "a/b", "a.1", "<script>", "x".repeat(129)])("is rejected if it is %j", async (id) => {
    const before = runner.sessions.counts;
    expect(await offerWith(id)).toMatchObject(rejection(400, "REQUEST_INVALID"));
    expect(runner.sessions.counts).toEqual(before);
  });

  test("is free again after an invalid offer", async () => {
    expect(await offerWith("my-id_3", { sdp: "hello" })).toMatchObject(rejection(400, "OFFER_INVALID"));
    expect((await offerWith("my-id_3")).status).toBe(200);
  });
});

describe("PATCH …/api/offer", () => {
  const candidate = { candidate: "candidate:1 1 udp 1 127.0.0.1 9 typ host", sdp_mid: "0", sdp_mline_index: 0 };

  test.each([
    ["one candidate", [candidate]],
    ["no candidates", []],
    ["the end of candidates, and one without sdp_mid", [{ candidate: "" }, { ...candidate, sdp_mid: null }]],
    ["a candidate with an index only", [{ candidate: candidate.candidate, sdp_mline_index: 0 }]],
    ["an invalid candidate", [{ candidate: "nonsense", sdp_mid: "nowhere", sdp_mline_index: 99 }]],
    ["64 candidates", Array(64).fill(candidate)],
  ])("accepts %s", async (_, candidates) => {
    const pc_id = pcIdOf(await offer(runner));
    const answer = await patch(runner, { pc_id, candidates });
    expect(answer).toMatchObject({ status: 200, json: { status: "success" } });
    expect(answer.headers).toHaveProperty("content-length", String(answer.text.length));
    expect(await patch(runner, { sessionId: pc_id.split(".")[0], pc_id, candidates })).toMatchObject({ status: 200 });
  });

  test.each([
    ["an unknown pc_id", { pc_id: "nobody.1", candidates: [candidate] }, 404, "SESSION_UNKNOWN"],
    ["a missing pc_id", { candidates: [candidate] }, 400, "BODY_INVALID"],
    ["missing candidates", { pc_id: "nobody.1" }, 400, "BODY_INVALID"],
    ["candidates that are strings", { pc_id: "nobody.1", candidates: ["candidate:1"] }, 400, "BODY_INVALID"],
    ["a negative index", { pc_id: "x", candidates: [{ ...candidate, sdp_mline_index: -1 }] }, 400, "BODY_INVALID"],
    ["65 candidates", { pc_id: "x", candidates: Array(65).fill(candidate) }, 400, "BODY_INVALID"],
  ])("rejects %s", async (_, fields, status, code) => {
    expect(await patch(runner, fields)).toMatchObject(rejection(status, code));
  });

  test("rejects candidates before the first offer, which is answered afterwards", async () => {
    const sessionId = String((await start(runner)).headers["x-session-id"]);
    const early = { sessionId, pc_id: `${sessionId}.1`, candidates: [candidate] };
    expect(await patch(runner, early)).toMatchObject(rejection(404, "SESSION_UNKNOWN"));
    expect((await offer(runner, { sessionId })).status).toBe(200);
    expect((await patch(runner, early)).status).toBe(200);
  });

  test("ignores candidates for a peer that was replaced", async () => {
    const own = await open({ pluginOptions: { webrtc: { announceIp: "127.0.0.1" } } });
    const pc_id = pcIdOf(await offer(own, voice));
    const next = pcIdOf(await offer(own, { ...voice, pc_id, restart_pc: true }));
    const [oldPort, newPort] = [await openPort(), await openPort()];
    for (const [id, { port }] of [
      [pc_id, oldPort],
      [next, newPort],
    ] as const) {
      const candidates = [{ candidate: `candidate:1 1 udp 1 127.0.0.1 ${port} typ host`, sdp_mid: "0" }];
      expect(await patch(own, { pc_id: id, candidates })).toMatchObject({ status: 200 });
    }
    await until("the new peer checks its candidate", () => newPort.received() > 0, timeoutMs);
    expect(oldPort.received()).toBe(0);
  });
});

test("when the range of UDP ports is exhausted, offers get 503 until a port is free", async () => {
  const udpPorts = [42_100, 42_101];
  const own = await open({ pluginOptions: { webrtc: { udpPorts, announceIp: "127.0.0.1" } } });
  const [first, second] = [await offer(own, voice), await offer(own, voice)];
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(await offer(own, voice)).toMatchObject(rejection(503, "UDP_PORTS_EXHAUSTED"));
  expect(own.sessions.counts).toEqual({ pending: 0, active: 2 });
  await own.sessions.find(String(first.headers["x-session-id"]))?.end("ended-by-request");
  expect((await offer(own, voice)).status).toBe(200);
});

test("an address with 20 callers that are connecting gets 503 until one has ended", async () => {
  const own = await open();
  const answers = await Promise.all(Array.from({ length: 21 }, () => offer(own, voice)));
  const [rejected, ...others] = answers.filter(({ status }) => status !== 200);
  expect(others).toEqual([]);
  expect(rejected).toMatchObject(rejection(503, "AT_CAPACITY"));
  expect(own.sessions.counts).toEqual({ pending: 0, active: 20 });
  // An invalid offer does not take a place.
  const [session] = own.sessions;
  await session?.end("ended-by-request");
  expect((await offer(own, { sdp: "v=0" })).status).toBe(400);
  expect((await offer(own, voice)).status).toBe(200);
});

test("a caller counts as connecting once, also after offers that were rejected", async () => {
  const own = await open({ maxSessions: 4 });
  const first = await offer(own, voice);
  const sessionId = first.headers["x-session-id"];
  let pc_id = pcIdOf(first);
  // Eight callers of an address may be connecting.
  for (let count = 0; count < 8; count++) {
    expect((await offer(own, { pc_id, sdp: "v=0" })).status).toBe(400);
    const next = await offer(own, { ...voice, sessionId });
    expect(next.status).toBe(200);
    pc_id = pcIdOf(next);
  }
  expect((await offer(own, voice)).status).toBe(200);
});

/** Its session ends at once: for a caller with a data channel that is still connecting, the runner waits 4 s. */
const voice = { sdp: voiceAlone };

/** Opens a UDP port that counts datagrams, on the loopback address. */
async function openPort(): Promise<{ readonly port: number; received(): number }> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  let received = 0;
  socket.on("message", () => {
    received += 1;
  });
  await once(socket, "listening");
  return { port: socket.address().port, received: () => received };
}
