import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { cut, encodeWav, findGaps, findVoice, parseWav, tone } from "@pipecat-ts/audio";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { until } from "../../../runner-testing/src/index.ts";
import type { NetworkOptions, PhoneCall } from "./phone-call.ts";
import { createFakeCarrier } from "./phone-carrier.ts";

type Message = Readonly<Record<string, unknown>>;
let server: WebSocketServer;
let received: Message[];
let sendToCaller: (message: object) => void;

beforeEach(async () => {
  received = [];
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    sendToCaller = (message) => socket.send(JSON.stringify(message));
    socket.on("message", (data) => received.push(JSON.parse(String(data))));
  });
  await once(server, "listening");
});
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A call from a carrier whose audio is JSON numbers. */
function call(network: NetworkOptions = {}): Promise<PhoneCall> {
  let order = 0;
  const carrier = createFakeCarrier({
    name: "fake",
    createFarEnd: () => ({
      sampleRate: 8_000,
      frameMs: 20,
      announce: () => [{ event: "start" }],
      audio: ({ length }) => ({ event: "audio", order: order++, length }),
      digit: (digit) => ({ event: "key", digit }),
      played: (mark) => ({ event: "played", mark }),
      stop: () => ({ event: "stop" }),
      parse({ samples, mark, clear }) {
        if (Array.isArray(samples)) return { audio: { samples: Int16Array.from(samples), sampleRate: 8_000 } };
        if (mark !== undefined) return { mark: String(mark) };
        return clear ? { clear: true } : { protocolError: "unknown message" };
      },
    }),
  });
  const at = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return carrier.call({ at, network });
}

const events = () => received.map(({ event }) => event);

test("a call is announced, speaks in real time, sends keys, and hangs up with or without a stop message", async () => {
  const phone = await call();
  const began = performance.now();
  await phone.speak(tone(400, { durationMs: 200, sampleRate: 24_000 }));
  expect(performance.now() - began).toBeGreaterThanOrEqual(170);
  phone.press("5");
  await phone.hangUp();
  await until("the stop message arrives", () => events().includes("stop"), 5_000);
  expect(events()).toEqual(["start", ...Array(10).fill("audio"), "key", "stop"]);

  received = [];
  await (await call()).hangUp({ stop: false });
  expect(events()).toEqual(["start"]);
});

test("a caller speaks a WAV file of another rate in real time", async () => {
  const phone = await call();
  const began = performance.now();
  await phone.speak(encodeWav(tone(400, { durationMs: 200, sampleRate: 24_000 })));
  expect(performance.now() - began).toBeGreaterThanOrEqual(170);
  await until("all of it arrives", () => received.length === 11, 5_000);
  expect(received.slice(1).map(({ length }) => length)).toEqual(Array(10).fill(160));
  await phone.hangUp();
});

test("marks are acknowledged when the audio before them was played or cleared", async () => {
  const phone = await call();
  const frames = cut(tone(400, { durationMs: 400, sampleRate: 8_000 }));
  for (const { samples } of frames) sendToCaller({ samples: [...samples] });
  sendToCaller({ mark: "end" });
  const began = performance.now();
  await until("the mark arrives", () => events().includes("played"), 5_000);
  expect(performance.now() - began).toBeGreaterThanOrEqual(350);

  for (const { samples } of frames) sendToCaller({ samples: [...samples] });
  sendToCaller({ mark: "cleared" });
  sendToCaller({ clear: true });
  await until("the cleared mark arrives", () => received.some(({ mark }) => mark === "cleared"), 5_000);
  expect(phone.playout.clears).toBe(1);
  sendToCaller({ nonsense: true });
  await until("the protocol error is recorded", () => phone.protocolErrors.length === 1, 5_000);
  await phone.hangUp();
});

test("the recording contains what was played, with the silence between", async () => {
  const phone = await call();
  const first = tone(400, { durationMs: 100, sampleRate: 8_000 });
  sendToCaller({ samples: [...first.samples] });
  await until("the first is heard", () => phone.playout.played().length === 1, 5_000);
  const heardAtMs = phone.playout.played()[0]?.atMs ?? 0;
  await until("some time has passed", () => performance.now() > heardAtMs + 300, 5_000);
  sendToCaller({ samples: [...first.samples] });
  await until("the second is heard", () => phone.playout.played().length === 2, 5_000);
  const { wav, beginsAtMs } = phone.recording();
  const audio = parseWav(wav);
  expect(beginsAtMs).toBe(heardAtMs);
  expect(findGaps(audio, { minimumMs: 100 })).toHaveLength(1);
  expect(findVoice(audio)?.toMs ?? 0).toBeGreaterThanOrEqual(390);
  await phone.hangUp();
});

test("the network delays, swaps and drops audio, and delivers everything else", async () => {
  const phone = await call({ delayMs: 50, swapEvery: 4, dropEvery: 5 });
  const began = performance.now();
  for (const frame of cut(tone(400, { durationMs: 200, sampleRate: 8_000 }))) phone.sendAudio(frame);
  phone.press("5");
  await until("the key arrives", () => events().includes("key"), 5_000);
  expect(performance.now() - began).toBeGreaterThanOrEqual(45);
  const order = received.filter(({ event }) => event === "audio").map((message) => message.order);
  expect(order).toEqual([0, 1, 2, 5, 3, 6, 8, 7]);
  await phone.hangUp();
});
