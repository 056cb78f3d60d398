/**
 * `node attacker.ts NAME PORT MS [BODY]`: does one thing to a runner on this machine for some time, and exits. A process of its own, so
 * that its work does not delay the callers that are measured.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { connectCaller as connectByWebRTC } from "../../packages/runner-webrtc/src/caller.ts";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/caller.ts";
import { encodeAudio, encodeMessage } from "../../packages/runner-websocket/src/codec.ts";
import { FrameSchema } from "../../packages/runner-websocket/src/generated/frames_pb.ts";
import { speak } from "../server/callers.ts";

const [name = "", port = "", ms = "", body = "{}"] = process.argv.slice(2);
const origin = `http://127.0.0.1:${port}`;
const endsAt = performance.now() + Number(ms);
const isOver = () => performance.now() > endsAt;

const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Bodies in one-byte chunks on 8 connections. */
  chunks: () => many(8, () => exchange(`${chunkedHead}${"1\r\nx\r\n".repeat(50_000)}`)),
  /** Requests without end on connections that read nothing. */
  pipelined: () => many(4, () => exchange("GET /client/ HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20_000), 1_000)),
  /** As many connections as the runner accepts, which send nothing. */
  connections: () => many(3_000, () => exchange("", Number(ms))),
  /** One caller whose audio changes its sample rate with every frame. */
  rates: () =>
    whileCalling(async (caller) => {
      for (let index = 0; index < 2_500; index++) {
        const sampleRate = index % 2 === 0 ? 21_001 : 21_003;
        caller.socket.send(encodeAudio({ samples: new Int16Array(1), sampleRate, channels: 1 }));
      }
      await sleep(100);
    }),
  /** One caller with messages that nest 28,000 levels deep, or in lists of 130,000 pieces. */
  "deep messages": () =>
    whileCalling(async (caller) => {
      const tree = `${'{"children":['.repeat(28_000)}${"]}".repeat(28_000)}`;
      const text = `{"label":"rtvi-ai","type":"ui-snapshot","id":"1","data":{"tree":${tree}}}`;
      caller.socket.send(
        toBinary(FrameSchema, create(FrameSchema, { frame: { case: "message", value: { data: text } } })),
      );
      const pieces = Array.from({ length: 130_000 }, () => "AAAA");
      caller.socket.send(
        encodeMessage({ label: "rtvi-ai", type: "raw-audio-batch", id: "2", data: { base64AudioBatch: pieces } }),
      );
      await sleep(100);
    }),
  /** One caller with 50,000 messages at once. */
  messages: () =>
    whileCalling(async (caller) => {
      const message = encodeMessage({ label: "rtvi-ai", type: "send-text", id: "1", data: { content: "x" } });
      for (let index = 0; index < 50_000; index++) caller.socket.send(message);
      await sleep(100);
    }),
  /** WebSocket pings without end. */
  pings: () =>
    whileCalling(async (caller) => {
      for (let index = 0; index < 10_000; index++) caller.socket.ping();
      await sleep(100);
    }),
  /** Offers with 20,000 invented media ids, and then 9,000 candidates. */
  candidates: async () => {
    const mids = Array.from({ length: 20_000 }, (_, index) => `m${index}`).join(" ");
    const sdp = offer().replace("a=group:BUNDLE 0", `a=group:BUNDLE 0 ${mids}`);
    const candidate = { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 };
    while (!isOver()) {
      const answer = await post("/api/offer", { sdp, type: "offer" });
      const candidates = Array.from({ length: 9_000 }, (_, index) => ({ ...candidate, sdpMid: `m${index}` }));
      await post("/api/offer", { pc_id: answer.pc_id ?? "none", candidates }, "PATCH");
    }
  },
  /** Offers whose callers never connect. */
  offers: async () => {
    while (!isOver()) {
      await post("/api/offer", { sdp: offer(), type: "offer" });
      await sleep(25);
    }
  },
  /** 200 callers, who all hang up within a second. */
  "hang-ups": async () => {
    const callers: WebSocketCaller[] = [];
    while (callers.length < 200) callers.push(await call());
    await Promise.all(callers.map((caller, index) => sleep(index * 5).then(caller.hangUp)));
  },
  /** Two callers who speak until the end; over WebSocket and over WebRTC. */
  callers: async () => {
    const { sessionId } = await post("/start", { transport: "webrtc" });
    const callers = [await call(), await connectByWebRTC(new URL(`${origin}/sessions/${sessionId}/api/offer`))];
    const stops = callers.map(speak);
    process.stdout.write("calling\n");
    while (!isOver()) await sleep(50);
    for (const stop of stops) stop();
    for (const caller of callers) caller.drop();
  },
  /** One call whose bot does what `BODY` says. */
  bot: async () => {
    const caller = await call();
    const stop = speak(caller);
    while (!isOver()) await sleep(50);
    stop();
    caller.drop();
  },
};

const chunkedHead = "POST /start HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Repeats the work in this many places until the end. */
async function many(count: number, work: () => Promise<unknown>): Promise<void> {
  const one = async () => {
    while (!isOver()) await work();
  };
  await Promise.all(Array.from({ length: count }, one));
}

/** Sends bytes on a connection, reads nothing for `waitMs`, and closes it. */
async function exchange(bytes: string, waitMs = 100): Promise<void> {
  const socket: Socket = connect(Number(port), "127.0.0.1");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined); // The runner closes it: what is tested.
  socket.write(bytes);
  await Promise.race([closed, sleep(Math.max(0, Math.min(waitMs, endsAt - performance.now())))]);
  socket.destroy();
  await closed;
}

async function call(): Promise<WebSocketCaller> {
  const { wsUrl } = await post("/start", { transport: "websocket", body: JSON.parse(body) });
  return await connectCaller(String(wsUrl));
}

/** Repeats the work of one caller, and calls again when the runner ends the call. */
async function whileCalling(work: (caller: WebSocketCaller) => Promise<void>): Promise<void> {
  while (!isOver()) {
    const caller = await call();
    while (!isOver() && caller.socket.readyState === caller.socket.OPEN) {
      await work(caller);
      while (caller.socket.bufferedAmount > 0 && caller.socket.readyState === caller.socket.OPEN && !isOver()) {
        await sleep(10);
      }
    }
    caller.drop();
    await sleep(100);
  }
}

/** The reply, or `{}` when the runner refuses. */
async function post(path: string, fields: object, method = "POST"): Promise<Readonly<Record<string, unknown>>> {
  const headers = { "content-type": "application/json", connection: "close" };
  const response = await fetch(origin + path, { method, headers, body: JSON.stringify(fields) });
  const text = await response.text();
  return response.ok && text !== "" ? JSON.parse(text) : {};
}

/** A complete offer for audio, from a peer that does not exist. */
function offer(): string {
  const random = () => Math.random().toString(36).slice(2, 12);
  const fingerprint = Array.from({ length: 32 }, () => "AB").join(":");
  return [
    "v=0",
    "o=- 1 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    `a=ice-ufrag:${random()}`,
    `a=ice-pwd:${random()}${random()}${random()}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    "a=setup:actpass",
    "a=mid:0",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=rtpmap:111 opus/48000/2",
    "a=ssrc:1 cname:x",
    "",
  ].join("\r\n");
}

const attack = attacks[name];
if (!attack) throw new Error(`"${name}" is unknown. Use ${Object.keys(attacks).join(", ")}.`);
await attack();
process.exit(0);
