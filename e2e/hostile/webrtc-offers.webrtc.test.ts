import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, send } from "@pipecat-ts/runner-testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sendOffer } from "../../packages/runner-webrtc/src/caller.ts";
import { readAnswer } from "../../packages/runner-webrtc/src/peer/test/answer-reader.ts";
import {
  chromium,
  clientOffers,
  esp32,
  firefox,
  safari,
  voiceAlone,
} from "../../packages/runner-webrtc/src/peer/test/offers.ts";
import { expectEcho } from "../server/callers.ts";
import { endingReasons, expectNoGrowth } from "../server/expectations.ts";
import type { Holdings } from "../server/messages.ts";
import { type Server, startServer } from "../server/server.ts";
import { createRandom, type Random, useServer } from "./fixture.ts";

const fixture = useServer({ transports: ["webrtc"] });
// A session whose caller never connects would last 30 s.
afterEach(() => fixture.server.ask("endLater"));

const shapes = Object.values(clientOffers);

/** A second server, whose sessions last 30 s: it gets its offers before the other tests run, and is checked last. */
let unconnected: Server;
let beforeOffers: Holdings;
beforeAll(async () => {
  unconnected = await startServer({ transports: ["webrtc"] });
  beforeOffers = await unconnected.ask("holdings");
  for (let count = 0; count < 200; count += 20) {
    const body = (index: number) => ({ sdp: shapes[index % shapes.length], type: "offer" });
    const offers = Array.from({ length: 20 }, (_, index) => request("POST", body(index), unconnected));
    for (const answer of await Promise.all(offers)) expect(answer.status).toBe(200);
  }
  expect(await unconnected.ask("counts")).toEqual({ pending: 0, active: 200 });
  const { liveBytes } = await unconnected.ask("holdings");
  expect((liveBytes - beforeOffers.liveBytes) / 200, "bytes per session").toBeLessThan(500_000);
});
afterAll(() => unconnected?.[Symbol.asyncDispose]());

function request(method: string, body: unknown, server: Server = fixture.server): Promise<Answer> {
  return send(`http://127.0.0.1:${server.port}/api/offer`, { method, body });
}

function offer(sdp: unknown, more: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  return request("POST", { sdp, type: "offer", pc_id: null, restart_pc: false, ...more });
}

/** Fails unless the response is a success, or a JSON error with a status below 500. */
function expectValidResponse({ status, headers, json }: Answer, what: string): void {
  expect(status, what).toBeLessThan(500);
  expect(headers["content-type"], what).toMatch(/^application\/json/);
  if (status === 200) return;
  expect(json, what).toEqual({ code: expect.any(String), detail: expect.any(String) });
}

test("an invalid offer gets OFFER_INVALID", async () => {
  const junk = createRandom(1).bytes(2_000).toString("latin1");
  const offers: Readonly<Record<string, string>> = {
    "no text": "",
    "one word": "hello",
    JSON: JSON.stringify({ sdp: chromium }),
    "random characters": junk,
    "random characters after a valid line": `v=0\r\n${junk}`,
    "only line ends": "\r\n".repeat(10_000),
    "1,000 first lines": "v=0\r\n".repeat(1_000),
    "no audio": chromium.replace("m=audio", "m=video"),
    "refused audio": chromium.replace("m=audio 9", "m=audio 0"),
    "two fingerprints": chromium.replace(/sha-256 \S+/, `sha-256 ${"AA:".repeat(31)}AA`),
    "unknown codecs only": chromium.replaceAll("opus/48000/2", "speex/16000"),
    "no encryption": chromium.replaceAll("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
    "3,000 sections": voiceAlone + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(3_000),
    "a line of 100,000 characters": chromium.replace("s=-", `s=-\r\nrubbish${"x".repeat(100_000)}`),
    "a password of 100,000 characters": voiceAlone.replace(/(a=ice-pwd:).*/, `$1${"x".repeat(100_000)}`),
    "a password that injects a line": voiceAlone.replace(
      /(a=ice-pwd:).*/,
      "$1aaaaaaaaaaaaaaaaaaaaaa\ra=setup:holdconn",
    ),
  };
  for (const [what, sdp] of Object.entries(offers)) {
    const answer = await offer(sdp);
    expectValidResponse(answer, what);
    expect(answer, what).toMatchObject({ status: 400, json: { code: "OFFER_INVALID" } });
    expect(answer.text.length, what).toBeLessThan(1_000);
  }
  for (const sdp of ["x".repeat(1_000_000), chromium + "a=x\r\n".repeat(200_000)]) {
    const answer = await offer(sdp);
    expectValidResponse(answer, "1 MB");
    expect([400, 413]).toContain(answer.status);
  }
  expect(await fixture.server.ask("counts")).toEqual({ pending: 0, active: 1 });
});

/** Short ones, because each of their lines takes two offers. */
const shortOffers = { chromium, firefox, safari, esp32, voiceAlone };

test.each(Object.entries(shortOffers))(
  "an offer like %s's, truncated at every line, gets a valid response",
  async (_, whole) => {
    const lines = whole.split("\r\n");
    for (let count = 0; count < lines.length; count++) {
      const head = lines.slice(0, count).join("\r\n");
      const next = lines[count] ?? "";
      for (const sdp of [head, `${head}\r\n${next.slice(0, next.length / 2)}`]) {
        const answer = await offer(sdp);
        expectValidResponse(answer, sdp);
        if (answer.status === 200) readAnswer((answer.json as { readonly sdp: string }).sdp, sdp);
      }
    }
  },
);

test("an unusual but valid offer gets a valid answer", async () => {
  const digest = Array.from({ length: 64 }, () => "AB").join(":");
  const candidates = Array.from(
    { length: 500 },
    (_, n) => `a=candidate:${n} 1 udp 1 192.0.2.${n % 250} ${n + 1} typ host`,
  );
  const dataFirst = chromium.replace(/(m=audio[\s\S]*?)(m=video[\s\S]*?)(m=application[\s\S]*)/, "$3$1$2");
  const offers: Readonly<Record<string, string>> = {
    "line feeds alone": chromium.replaceAll("\r\n", "\n"),
    "no line end at the end": chromium.trimEnd(),
    "the codec in capitals": chromium.replaceAll("opus/", "OPUS/"),
    "a payload type of two digits": voiceAlone.replaceAll("111", "35"),
    "Opus behind others": voiceAlone.replace("SAVPF 111", "SAVPF 0 8 111"),
    "section names that are not numbers": chromium
      .replaceAll(/mid:(\d)/g, "mid:section+$1")
      .replace("BUNDLE 0 1 2", "BUNDLE section+0 section+1 section+2"),
    "data before audio": dataFirst,
    "audio twice": chromium.replace("m=video 9 UDP/TLS/RTP/SAVPF 96 97", "m=audio 9 UDP/TLS/RTP/SAVPF 96 97"),
    "data twice": `${chromium}${chromium.slice(chromium.indexOf("m=application")).replace("a=mid:2", "a=mid:3")}`,
    "audio that waits for its bundle": chromium
      .replace("m=video 9", "m=video 0")
      .replace("a=mid:1", "a=mid:1\r\na=bundle-only"),
    "a caller who only listens": chromium.replace("a=sendrecv", "a=recvonly"),
    "a caller who only talks": chromium.replace("a=sendrecv", "a=sendonly"),
    "no bundle": chromium.replace(/a=group.*\r\n/, ""),
    "ICE lite": chromium.replace("t=0 0", "t=0 0\r\na=ice-lite"),
    "a certificate in two algorithms": chromium.replace("a=setup", `a=fingerprint:sha-512 ${digest}\r\na=setup`),
    "an unknown fingerprint algorithm beside a known one": chromium.replace(
      "a=setup",
      "a=fingerprint:sha-3 AB\r\na=setup",
    ),
    "500 candidates": `${voiceAlone}${candidates.join("\r\n")}\r\n`,
    "the same candidate a hundred times": `${voiceAlone}${`${candidates[1]}\r\n`.repeat(100)}`,
    "candidates that cannot be used": `${voiceAlone}a=candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active\r\na=candidate:2 2 udp 1 ::1 9 typ host\r\n`,
    "the server's address as a candidate": `${voiceAlone}a=candidate:1 1 udp 1 127.0.0.1 ${fixture.server.port} typ host\r\n`,
    "a session name with non-ASCII characters": chromium.replace("s=-", "s=ü 语 \u{1f600}"),
    "the largest SSRC": voiceAlone.replace("a=rtcp-mux", "a=ssrc:4294967295 cname:x\r\na=rtcp-mux"),
    "an SSRC of 20 digits": voiceAlone.replace("a=rtcp-mux", "a=ssrc:99999999999999999999 cname:x\r\na=rtcp-mux"),
    "a message size of 20 digits": safari.replace("max-message-size:65536", "max-message-size:99999999999999999999"),
    "unknown attributes": chromium.replaceAll("a=setup", `a=x-${"y".repeat(900)}:z\r\na=setup`),
    "a port with a count": chromium.replace("m=audio 9 ", "m=audio 9/2 "),
  };
  for (const [what, sdp] of Object.entries(offers)) {
    const answer = await offer(sdp);
    expect(answer.status, `${what}: ${answer.text}`).toBe(200);
    readAnswer((answer.json as { readonly sdp: string }).sdp, sdp);
  }
});

test("20,000 candidates open fewer than 16 sockets, and too many in one request get 400", async () => {
  const { json } = await offer(chromium);
  const { pc_id } = json as { readonly pc_id: string };
  const kinds = [
    (n: number) => `candidate:${n} 1 udp ${n} 192.0.2.${n % 250} ${(n % 60_000) + 1} typ host`,
    (n: number) => `candidate:${n} 1 udp ${n} name-${n}.local ${(n % 60_000) + 1} typ host`,
    (n: number) => `candidate:${n} 1 udp 1 224.0.0.1 ${n} typ host`,
    (n: number) => `nonsense ${n}`,
    () => "",
  ];
  const candidatesFrom = (from: number, length: number) =>
    Array.from({ length }, (_, n) => ({
      candidate: kinds[n % kinds.length]?.(from + n) ?? "",
      sdp_mid: String(n % 3),
      sdp_mline_index: n % 5,
    }));
  for (let from = 0; from < 20_000; from += 500) {
    const patches = Array.from({ length: 10 }, (_, part) => candidatesFrom(from + 50 * part, 50));
    const answers = await Promise.all(patches.map((candidates) => request("PATCH", { pc_id, candidates })));
    for (const { status } of answers) expect(status).toBe(200);
  }
  expect(await request("PATCH", { pc_id, candidates: candidatesFrom(0, 65) })).toMatchObject({ status: 400 });
  const { handles } = await fixture.server.ask("holdings");
  // One socket resolves all mDNS names.
  expect((handles.UDPWrap ?? 0) - (fixture.before.handles.UDPWrap ?? 0)).toBeLessThan(16);
});

/** Fails unless each offer of a flood was answered or rejected with RATE_EXCEEDED. Returns how many were answered. */
function countAnswered(answers: readonly Answer[]): number {
  const rejected = answers.filter(({ status }) => status !== 200);
  for (const each of rejected) expect(each).toMatchObject({ status: 429, json: { code: "RATE_EXCEEDED" } });
  return answers.length - rejected.length;
}

test("a call survives 1,000 renegotiations, of which 5 per second and 50 at once are answered", async () => {
  const caller = await fixture.server.callByWebRTC();
  await expectEcho(caller);
  const sdp = caller.peer.connection.localDescription?.sdp;
  const body = { sdp, type: "offer", pc_id: caller.pcId, restart_pc: false };
  const startedAt = performance.now();
  let answered = 0;
  for (let count = 0; count < 1_000; count += 100) {
    const offers = Array.from({ length: 100 }, () => send(caller.endpoint, { method: "POST", body }));
    answered += countAnswered(await Promise.all(offers));
  }
  expect(answered).toBeGreaterThanOrEqual(49);
  expect(answered).toBeLessThanOrEqual(50 + (5 * (performance.now() - startedAt)) / 1_000);
  await expectEcho(caller);
  expect((await send(caller.endpoint, { method: "POST", body })).status).toBe(200);
  await caller.hangUp();
});

test("a caller who restarts 300 times can still connect", async () => {
  const caller = await fixture.server.callByWebRTC();
  let pcId = caller.pcId;
  for (let count = 0; count < 300; count += 20) {
    const body = { sdp: chromium, type: "offer", pc_id: pcId, restart_pc: true };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(caller.endpoint, { method: "POST", body })),
    );
    countAnswered(answers);
    const pcIds = answers.flatMap(({ json }) => (json as { readonly pc_id?: string }).pc_id ?? []);
    pcId = pcIds.at(-1) ?? pcId;
  }
  const { handles, codecs } = await fixture.server.ask("holdings");
  expect((handles.UDPWrap ?? 0) - (fixture.before.handles.UDPWrap ?? 0)).toBeLessThan(8);
  expect(codecs - fixture.before.codecs).toBeLessThan(4);
  await caller.peer.close();
  await expect
    .poll(() => sendOffer(caller.endpoint, { sdp: chromium, pc_id: pcId, restart_pc: true }), { timeout: 5_000 })
    .toMatchObject({ type: "answer" });
});

test("400 random offers and candidates get no 5xx except 503, and every error is JSON", {
  timeout: 180_000,
}, async () => {
  const random = createRandom(5);
  const statuses = new Map<number, number>();
  let pcId = "nobody.1";
  for (let count = 0; count < 400; count += 20) {
    const requests = Array.from({ length: 20 }, () => randomRequest(random, pcId));
    const answers = await Promise.all(requests.map(([method, body]) => request(method, body)));
    answers.forEach((answer, index) => {
      if (answer.status !== 503) expectValidResponse(answer, JSON.stringify(requests[index]));
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      pcId = (answer.json as { readonly pc_id?: string }).pc_id ?? pcId;
    });
    if (count % 100 === 80) await fixture.server.ask("endLater");
  }
  // The random requests reach valid, invalid and unknown sessions.
  expect(statuses.get(200)).toBeGreaterThan(40);
  expect(statuses.get(400)).toBeGreaterThan(40);
  expect(statuses.get(404)).toBeGreaterThan(4);
});

test("the sessions of 200 offers without media end with abandoned", { timeout: 90_000 }, async () => {
  while ((await unconnected.ask("counts")).active > 0) await sleep(200);
  expect([...new Set(endingReasons(unconnected))]).toEqual(["abandoned"]);
  await expectNoGrowth(unconnected, beforeOffers);
});

function randomRequest(random: Random, pcId: string): readonly [method: string, body: unknown] {
  if (random.number(4) === 0) {
    const candidate = () =>
      mutate(random, "candidate:1 1 udp 2122252543 192.0.2.9 54321 typ host generation 0 ufrag Yx3d");
    const candidates = Array.from({ length: random.number(5) }, () => ({
      candidate: random.pick([candidate(), candidate(), "", null, 7]),
      sdp_mid: random.pick(["0", "1", "x", null, 0]),
      sdp_mline_index: random.pick([0, 1, 2, -1, 1e99, null, "0"]),
    }));
    return ["PATCH", { pc_id: random.pick([pcId, pcId, "nobody.1", "", null]), candidates }];
  }
  const [known, restart] = [random.number(3) === 0, random.number(2) === 0];
  const body = {
    sdp: mutate(random, random.pick(shapes)),
    type: random.number(20) ? "offer" : random.pick(["answer", "", null, 7]),
    ...(known ? { pc_id: random.pick([pcId, pcId, pcId, `${pcId}0`, "__proto__", "", 7]) } : {}),
    ...(known ? { restart_pc: random.number(10) ? restart : random.pick(["true", 1, null, {}]) } : {}),
    ...(random.number(5) ? {} : { requestData: random.pick([null, 0, "", {}, { __proto__: 1 }, "x".repeat(10_000)]) }),
  };
  return ["POST", body];
}

/** Up to six changes: a line removed, copied or truncated, or some of its characters replaced. */
function mutate(random: Random, text: string): string {
  const lines = text.split("\r\n");
  for (let changes = random.number(7); changes > 0; changes--) {
    const at = random.number(lines.length);
    const line = lines[at] ?? "";
    const place = random.number(line.length + 1);
    const replacements = [
      "",
      "0",
      "-1",
      "99999999999",
      ":",
      "=",
      " ",
      "/",
      "\u0000",
      "ü",
      "\n",
      "x".repeat(300),
      "NaN",
      "%s",
    ];
    const act = random.number(6);
    if (act === 0) lines.splice(at, 1);
    else if (act === 1) lines.splice(random.number(lines.length), 0, line);
    else if (act === 2) lines[at] = line.slice(0, place);
    else if (act === 3) lines[at] = line.replace(/\d+/, random.pick(replacements));
    else lines[at] = line.slice(0, place) + random.pick(replacements) + line.slice(place + random.number(3));
  }
  return lines.join("\r\n");
}
