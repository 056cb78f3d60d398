import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { encodeWav, parseWav } from "@pipecat-ts/audio";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { findGaps, findVoice } from "./level.ts";
import { until } from "./patience.ts";
import type { PhoneCall } from "./phone-call.ts";
import { createFakeCarrier } from "./phone-carrier.ts";
import type { NetworkOptions } from "./phone-network.ts";
import { cut, tone } from "./signal.ts";

type Message = Readonly<Record<string, unknown>>;
let server: WebSocketServer;
let received: Message[];
let say: (message: object) => void;

beforeEach(async () => {
  received = [];
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    say = (message) => socket.send(JSON.stringify(message));
    socket.on("message", (data) => received.push(JSON.parse(String(data))));
  });
  await once(server, "listening");
});
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A call by a carrier whose audio is numbers in JSON. */
function call(network: NetworkOptions = {}): Promise<PhoneCall> {
  let order = 0;
  const carrier = createFakeCarrier({
    name: "toy",
    createFarEnd: () => ({
      sampleRate: 8_000,
      frameMs: 20,
      announce: () => [{ event: "start" }],
      audio: ({ length }) => ({ event: "audio", order: order++, length }),
      digit: (digit) => ({ event: "key", digit }),
      played: (mark) => ({ event: "played", mark }),
      stop: () => ({ event: "stop" }),
      recognise({ samples, mark, clear }) {
        if (Array.isArray(samples)) return { audio: { samples: Int16Array.from(samples), sampleRate: 8_000 } };
        if (mark !== undefined) return { mark: String(mark) };
        return clear ? { clear: true } : { complaint: "what?" };
      },
    }),
  });
  const at = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return carrier.call({ at, network });
}

const events = () => received.map(({ event }) => event);

test("a caller announces, speaks in real time at any rate, presses keys, and hangs up with a last word or without", async () => {
  const phone = await call();
  const began = performance.now();
  await phone.say(tone(400, { durationMs: 200, sampleRate: 24_000 }));
  expect(performance.now() - began).toBeGreaterThanOrEqual(170);
  phone.press("5");
  await phone.hangUp();
  await until("the last word comes", () => events().includes("stop"), 5_000);
  expect(events()).toEqual(["start", ...Array(10).fill("audio"), "key", "stop"]);

  received = [];
  await (await call()).hangUp({ stop: false });
  expect(events()).toEqual(["start"]);
});

test("a caller says a WAV file of another rate, in time", async () => {
  const phone = await call();
  const began = performance.now();
  await phone.say(encodeWav(tone(400, { durationMs: 200, sampleRate: 24_000 })));
  expect(performance.now() - began).toBeGreaterThanOrEqual(170);
  await until("all of it comes", () => received.length === 11, 5_000);
  expect(received.slice(1).map(({ length }) => length)).toEqual(Array(10).fill(160));
  await phone.hangUp();
});

test("marks come back when what was before them has sounded, or was cleared", async () => {
  const phone = await call();
  const frames = cut(tone(400, { durationMs: 400, sampleRate: 8_000 }));
  for (const { samples } of frames) say({ samples: [...samples] });
  say({ mark: "end" });
  const began = performance.now();
  await until("the mark comes", () => events().includes("played"), 5_000);
  expect(performance.now() - began).toBeGreaterThanOrEqual(350);

  for (const { samples } of frames) say({ samples: [...samples] });
  say({ mark: "cleared" });
  say({ clear: true });
  await until("the cleared mark comes", () => received.some(({ mark }) => mark === "cleared"), 5_000);
  expect(phone.speaker.clears).toBe(1);
  say({ nonsense: true });
  await until("the complaint is kept", () => phone.complaints.length === 1, 5_000);
  await phone.hangUp();
});

test("the recording is what sounded, silences included", async () => {
  const phone = await call();
  const first = tone(400, { durationMs: 100, sampleRate: 8_000 });
  say({ samples: [...first.samples] });
  await until("the first is heard", () => phone.speaker.heard().length === 1, 5_000);
  const heardAtMs = phone.speaker.heard()[0]?.atMs ?? 0;
  await until("some time has passed", () => performance.now() > heardAtMs + 300, 5_000);
  say({ samples: [...first.samples] });
  await until("the second is heard", () => phone.speaker.heard().length === 2, 5_000);
  const { wav, beginsAtMs } = phone.recording();
  const audio = parseWav(wav);
  expect(beginsAtMs).toBe(heardAtMs);
  expect(findGaps(audio, { minimumMs: 100 })).toHaveLength(1);
  expect(findVoice(audio)?.toMs ?? 0).toBeGreaterThanOrEqual(390);
  await phone.hangUp();
});

test("a network delays, swaps and loses pieces of audio, and nothing else", async () => {
  const phone = await call({ delayMs: 50, swapEvery: 4, dropEvery: 5 });
  const began = performance.now();
  for (const frame of cut(tone(400, { durationMs: 200, sampleRate: 8_000 }))) phone.speak(frame);
  phone.press("5");
  await until("the key comes", () => events().includes("key"), 5_000);
  expect(performance.now() - began).toBeGreaterThanOrEqual(45);
  const order = received.filter(({ event }) => event === "audio").map((message) => message.order);
  expect(order).toEqual([0, 1, 2, 5, 3, 6, 8, 7]);
  await phone.hangUp();
});
