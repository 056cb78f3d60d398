import { once } from "node:events";
import { cut, tone, until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { speak } from "../../packages/runner-testing/src/speech.ts";
import { talkAndListen } from "../server/talk.ts";
import { useGround } from "./ground.ts";
import { createRandom } from "./random.ts";
import { frame, openRawWebSocket } from "./raw-websocket.ts";
import { audioMessage, bytesField, numberField, textMessage } from "./wire.ts";

const ground = useGround();
const second = Buffer.alloc(32_000, 1);
const useless: Readonly<Record<string, string | Buffer>> = {
  "a text": "hello",
  "a text that is JSON": '{"label":"rtvi-ai","type":"client-ready","id":"1"}',
  "a long text": "x".repeat(1_000_000),
  nothing: Buffer.alloc(0),
  "a null": Buffer.from([0]),
  "bytes that are no protobuf": createRandom(1).bytes(10_000),
  "a message cut off": audioMessage(second, 16_000, 1).subarray(0, 100),
  "a length beyond the end": Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
  "a number of eleven bytes": Buffer.from([0x08, ...Array.from({ length: 11 }, () => 0xff)]),
  "groups in groups in groups": Buffer.alloc(100_000, 0x0b),
  "fields nobody knows": Buffer.concat([numberField(99, 7), bytesField(100, second)]),
  "a frame that bots send": bytesField(5, numberField(1, 1)),
  "a transcription": bytesField(3, bytesField(3, Buffer.from("hello"))),
  "audio of no samples": audioMessage(Buffer.alloc(0), 16_000, 1),
  "audio of one sample": audioMessage(Buffer.alloc(2), 16_000, 1),
  "audio of half a sample": audioMessage(Buffer.alloc(1), 16_000, 1),
  "audio of an odd number of bytes": audioMessage(Buffer.alloc(641), 16_000, 1),
  "stereo of an odd number of samples": audioMessage(Buffer.alloc(642), 16_000, 2),
  "half a million samples": audioMessage(Buffer.alloc(1_000_000), 16_000, 1),
  "half a million samples at once at 192,000 Hz": audioMessage(Buffer.alloc(1_000_000), 192_000, 1),
  ...Object.fromEntries(
    [0, 1, 999, 192_001, 2 ** 31, 2 ** 32 - 1, 2 ** 40].map((hz) => [`audio at ${hz} Hz`, audioMessage(second, hz, 1)]),
  ),
  ...Object.fromEntries(
    [0, 3, 255, 2 ** 32 - 1].map((channels) => [
      `audio of ${channels} channels`,
      audioMessage(second, 16_000, channels),
    ]),
  ),
  "a message that is not JSON": textMessage("{"),
  "a message that is not UTF-8": bytesField(4, bytesField(1, Buffer.from([0xff, 0xfe]))),
  ...Object.fromEntries(
    [
      "null",
      "7",
      "[]",
      "{}",
      '"x"',
      '{"label":"rtvi-ai"}',
      '{"type":7}',
      '{"__proto__":{"polluted":1}}',
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    ].map((json) => [`the message ${json.slice(0, 40)}`, textMessage(json)]),
  ),
};

test("messages of no use are skipped, and their sender is heard after them as before", async () => {
  const caller = await ground.call();
  await talkAndListen(caller);
  for (const message of Object.values(useless)) caller.socket.send(message);
  await talkAndListen(caller);
  await caller.hangUp();
  expect(await ground.server.ask("pollution")).toEqual([]);
  await expectReason("caller-left");
});

test("each of them, as the first thing that a caller sends", async () => {
  const messages = Object.values(useless);
  const callers = await Promise.all(messages.map(() => ground.call()));
  for (const [index, { socket }] of callers.entries()) socket.send(messages[index] ?? "");
  await Promise.all(callers.map((caller) => speak(caller, tone(440, { durationMs: 100 }))));
  for (const [index, caller] of callers.entries())
    expect(caller.socket.readyState, Object.keys(useless)[index]).toBe(1);
  await Promise.all(callers.map((caller) => caller.hangUp()));
});

test("twenty thousand random messages, half of them with a frame's beginning", async () => {
  const caller = await ground.call();
  const random = createRandom(2);
  const whole = [audioMessage(second.subarray(0, 640), 16_000, 1), textMessage('{"label":"rtvi-ai"}')];
  for (let sent = 0; sent < 20_000; sent++) {
    const junk = random.bytes(random.number(40));
    const message = random.number(2) ? junk : Buffer.concat([random.pick(whole).subarray(0, random.number(700)), junk]);
    caller.socket.send(message);
    if (sent % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await talkAndListen(caller);
  await caller.hangUp();
});

test("frames that break the WebSocket protocol end the call, with the code that says why", async () => {
  const text = Buffer.from("hello");
  const breaches: readonly (readonly [what: string, code: number | undefined, ...frames: Buffer[]])[] = [
    ["a message of a million samples", 1009, frame(0x82, audioMessage(Buffer.alloc(2_000_000), 16_000, 1))],
    [
      "a message in parts of together 2 MB",
      1009,
      frame(0x02, Buffer.alloc(900_000)),
      frame(0x80, Buffer.alloc(900_000)),
    ],
    ["a length beyond all numbers", 1009, Buffer.from([0x82, 0xff, ...Array.from({ length: 8 }, () => 0xff)])],
    ["no mask", 1002, frame(0x82, text, false)],
    ["an opcode that does not exist", 1002, frame(0x83, text)],
    ["a reserved bit", 1002, frame(0xc2, text)],
    ["a second beginning", 1002, frame(0x02, text), frame(0x02, text)],
    ["a part without a beginning", 1002, frame(0x80, text)],
    ["a ping of more than 125 bytes", 1002, frame(0x89, Buffer.alloc(200))],
    ["a ping in parts", 1002, frame(0x09, text)],
    ["a text that is not UTF-8", 1007, frame(0x81, Buffer.from([0xff]))],
    ["a close code that does not exist", 1002, frame(0x88, Buffer.from([0, 7]))],
    ["a close code of one byte", 1002, frame(0x88, Buffer.from([3]))],
    ["HTTP", 1002, Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [
      "a hundred thousand parts",
      1008,
      Buffer.concat([frame(0x02, text), ...Array.from({ length: 100_000 }, () => frame(0, Buffer.alloc(1)))]),
    ],
    [
      "ten thousand pings, and no pong is read",
      undefined,
      ...Array.from({ length: 10_000 }, () => frame(0x89, Buffer.alloc(125))),
    ],
  ];
  for (const [what, code, ...frames] of breaches) {
    ground.server.takeLog();
    const { socket, closed, closeCode } = await openRawWebSocket(ground.server.port);
    if (code === undefined) socket.pause();
    socket.write(Buffer.concat(frames));
    if (code !== undefined) {
      await closed;
      expect(closeCode(), what).toBe(code);
    }
    await until(`${what} ends the session`, () => ground.server.log.some(({ reason }) => reason !== undefined), 5_000);
    socket.destroy();
    await closed;
  }
});

test("a caller who asks, talks, and never reads costs 5 MiB, and no more", async () => {
  const { server, before } = ground;
  const caller = await ground.call();
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  await until("the bot is ready", () => caller.messages.length > 0, 5_000);
  caller.socket.pause();
  const text = { label: "rtvi-ai", type: "send-text", id: "2", data: { content: "x".repeat(100_000) } };
  const voice = cut(tone(440, { durationMs: 1_000 }));
  const fullBytes = 4 * 1024 * 1024;
  const waiting: number[] = [];
  const live: number[] = [];
  // First the system's own buffers fill, whatever their size here.
  for (let round = 0; round < 100 && waiting.filter((bytes) => bytes > fullBytes).length < 5; round++) {
    for (let count = 0; count < 20; count++) caller.sendMessage(text);
    for (const frame of voice) caller.sendAudio(frame);
    for (let count = 0; count < 10; count++) caller.sendMessage({ label: "rtvi-ai", type: 7 });
    await until("the server has taken it", () => caller.socket.bufferedAmount === 0, 10_000);
    const { mostWaitingBytes, liveBytes } = await server.ask("holdings");
    waiting.push(mostWaitingBytes);
    live.push(liveBytes - before.liveBytes);
  }
  expect(Math.max(...waiting)).toBeGreaterThan(fullBytes);
  expect(Math.max(...waiting)).toBeLessThan(1.25 * fullBytes);
  expect(Math.max(...live)).toBeLessThan(40_000_000);
  caller.drop();
  await expectReason("caller-left");
  const complaints = server.log.filter(({ level, session }) => level >= 40 && session !== undefined);
  expect(complaints.length, "log lines that the caller caused").toBeLessThan(10);
});

test("a caller who leaves without reading does not hold up the end of the session", async () => {
  const caller = await ground.call();
  caller.socket.pause();
  caller.socket.close();
  await expectReason("caller-left");
  caller.drop();
  await once(caller.socket, "close");
});

async function expectReason(expected: string): Promise<void> {
  await until("the session ends", () => ground.server.log.some(({ reason }) => reason !== undefined), 5_000);
  expect(ground.server.log.flatMap(({ reason }) => reason ?? [])).toEqual([expected]);
}
