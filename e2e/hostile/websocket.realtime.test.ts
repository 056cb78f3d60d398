import { once } from "node:events";
import { Agent, request } from "node:http";
import { cut, tone, until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { speak } from "../../packages/runner-core/src/caller/microphone.ts";
import type { WebSocketCaller } from "../../packages/runner-websocket/src/caller.ts";
import { expectEcho, speak as startSpeaking } from "../server/callers.ts";
import { endingReasons } from "../server/expectations.ts";
import { createRandom, useServer } from "./fixture.ts";
import { dial, exchange, frame, handshake, head, openRawWebSocket, type RawConnection } from "./raw-connection.ts";

const fixture = useServer();
const second = Buffer.alloc(32_000, 1);
const invalid: Readonly<Record<string, string | Buffer>> = {
  "a text": "hello",
  "a text that is JSON": '{"label":"rtvi","type":"client-ready","id":"1"}',
  "a long text": "x".repeat(1_000_000),
  "an empty message": Buffer.alloc(0),
  "a null byte": Buffer.from([0]),
  "random bytes": createRandom(1).bytes(10_000),
  "a truncated message": audioMessage(second, 16_000, 1).subarray(0, 100),
  "a length beyond the end of the message": Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
  "a varint of 11 bytes": Buffer.from([0x08, ...Array.from({ length: 11 }, () => 0xff)]),
  "nested groups": Buffer.alloc(100_000, 0x0b),
  "unknown fields": Buffer.concat([numberField(99, 7), bytesField(100, second)]),
  "a frame type that only bots send": bytesField(5, numberField(1, 1)),
  "a transcription": bytesField(3, bytesField(3, Buffer.from("hello"))),
  "audio without samples": audioMessage(Buffer.alloc(0), 16_000, 1),
  "audio of one sample": audioMessage(Buffer.alloc(2), 16_000, 1),
  "audio of half a sample": audioMessage(Buffer.alloc(1), 16_000, 1),
  "audio of an odd number of bytes": audioMessage(Buffer.alloc(641), 16_000, 1),
  "stereo of an odd number of samples": audioMessage(Buffer.alloc(642), 16_000, 2),
  "500,000 samples": audioMessage(Buffer.alloc(1_000_000), 16_000, 1),
  "500,000 samples at 192,000 Hz": audioMessage(Buffer.alloc(1_000_000), 192_000, 1),
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

test("the server ignores invalid messages, and the caller is still heard", async () => {
  const caller = await fixture.call();
  await expectEcho(caller);
  for (const message of Object.values(invalid)) caller.socket.send(message);
  await expectEcho(caller);
  await caller.hangUp();
  expect(await fixture.server.ask("pollution")).toEqual([]);
  await expectReason("caller-left");
});

test("a call survives an invalid message as its first message", async () => {
  const messages = Object.values(invalid);
  const callers = await Promise.all(messages.map(() => fixture.call()));
  for (const [index, { socket }] of callers.entries()) socket.send(messages[index] ?? "");
  await Promise.all(callers.map((caller) => speak(caller, tone(440, { durationMs: 100 }))));
  for (const [index, caller] of callers.entries())
    expect(caller.socket.readyState, Object.keys(invalid)[index]).toBe(1);
  await Promise.all(callers.map((caller) => caller.hangUp()));
});

test("a call survives 20,000 random messages, half of which begin like a frame", async () => {
  const caller = await fixture.call();
  const random = createRandom(2);
  const whole = [audioMessage(second.subarray(0, 640), 16_000, 1), textMessage('{"label":"rtvi-ai"}')];
  for (let sent = 0; sent < 20_000; sent++) {
    const junk = random.bytes(random.number(40));
    const message = random.number(2) ? junk : Buffer.concat([random.pick(whole).subarray(0, random.number(700)), junk]);
    caller.socket.send(message);
    if (sent % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await expectEcho(caller);
  await caller.hangUp();
});

test("a caller whose sample rate changes with every frame is heard, and disturbs nobody", async () => {
  const caller = await fixture.call();
  const frames = Array.from({ length: 2_500 }, (_, index) =>
    audioMessage(Buffer.alloc(2), 21_001 + 2 * (index % 2), 1),
  );
  await expectNoGap(async () => {
    for (let batch = 0; batch < 4; batch++) {
      for (const message of frames) caller.socket.send(message);
      await until("the server has read it", () => caller.socket.bufferedAmount === 0, 5_000);
      await fixture.server.ask("counts");
    }
  });
  expect(fixture.server.takeLog().filter(({ level }) => level === 40)).toHaveLength(1);
  // The sample rate may change again 500 ms later.
  await expectEcho(caller);
  await caller.hangUp();
});

test("a caller that sends 50,000 messages at once is disconnected with 1008, and disturbs nobody", async () => {
  const json = JSON.stringify({ label: "rtvi-ai", type: "send-text", id: "1", data: { content: "x" } });
  const flood = Buffer.concat(Array.from({ length: 50_000 }, () => frame(0x82, textMessage(json))));
  await expectNoGap(async () => {
    const { socket, closed, closeCode } = await openRawWebSocket(fixture.server.port);
    socket.write(flood);
    await closed;
    expect(closeCode()).toBe(1008);
  });
  expect(endingReasons(fixture.server)[0]).toBe("rate-exceeded");
});

test("a caller that sends 1,000 messages at once keeps its call, and the bot gets the first ones", async () => {
  const caller = await fixture.call();
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  await until("the bot is ready", () => caller.messages.length > 0, 5_000);
  const text = { label: "rtvi-ai", type: "send-text", id: "2", data: { content: "x" } };
  const sentAtMs = performance.now();
  for (let count = 0; count < 1_000; count++) caller.sendMessage(text);
  await expectEcho(caller);
  expect(caller.messages.length).toBeGreaterThanOrEqual(300);
  const others = 10;
  expect(caller.messages.length).toBeLessThanOrEqual(300 + others + (100 * (performance.now() - sentAtMs)) / 1_000);
  await caller.hangUp();
  await expectReason("caller-left");
});

/** The longest pause that other callers may hear, in ms: an attack that blocks the server is heard for seconds. */
const maxGapMs = 300;

/**
 * Another caller hears its echo without a gap during an attack. A busy machine causes gaps at any time: an attack that disturbs the
 * caller causes one in each of three attempts.
 */
async function expectNoGap(attack: () => Promise<void>): Promise<void> {
  let longestMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3 && longestMs >= maxGapMs; attempt++) {
    const other = await fixture.call();
    const stop = startSpeaking(other);
    await expectEcho(other);
    const beganMs = performance.now();
    await attack();
    await expectEcho(other);
    stop();
    const times = other.playout.played().flatMap(({ atMs }) => (atMs >= beganMs - 100 ? [atMs] : []));
    longestMs = Math.max(...times.map((atMs, index) => atMs - (times[index - 1] ?? atMs)));
    await other.hangUp();
  }
  expect(longestMs, "longest gap in ms").toBeLessThan(maxGapMs);
}

test("frames that violate the WebSocket protocol end the call with the right close code", async () => {
  const text = Buffer.from("hello");
  const violations: readonly (readonly [what: string, code: number | undefined, ...frames: Buffer[]])[] = [
    ["a message of 2 MB", 1009, frame(0x82, audioMessage(Buffer.alloc(2_000_000), 16_000, 1))],
    [
      "a message of 1.8 MB in two fragments",
      1009,
      frame(0x02, Buffer.alloc(900_000)),
      frame(0x80, Buffer.alloc(900_000)),
    ],
    ["a length of 2^64 − 1", 1009, Buffer.from([0x82, 0xff, ...Array.from({ length: 8 }, () => 0xff)])],
    ["an unmasked frame", 1002, frame(0x82, text, false)],
    ["an unknown opcode", 1002, frame(0x83, text)],
    ["a reserved bit", 1002, frame(0xc2, text)],
    ["a second first fragment", 1002, frame(0x02, text), frame(0x02, text)],
    ["a fragment without a first one", 1002, frame(0x80, text)],
    ["a ping of more than 125 bytes", 1002, frame(0x89, Buffer.alloc(200))],
    ["a fragmented ping", 1002, frame(0x09, text)],
    ["a text that is not UTF-8", 1007, frame(0x81, Buffer.from([0xff]))],
    ["an invalid close code", 1002, frame(0x88, Buffer.from([0, 7]))],
    ["a close code of one byte", 1002, frame(0x88, Buffer.from([3]))],
    ["HTTP", 1002, Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [
      "100,000 fragments",
      1008,
      Buffer.concat([frame(0x02, text), ...Array.from({ length: 100_000 }, () => frame(0, Buffer.alloc(1)))]),
    ],
    [
      "10,000 pings from a client that does not read",
      undefined,
      ...Array.from({ length: 10_000 }, () => frame(0x89, Buffer.alloc(125))),
    ],
  ];
  for (const [what, code, ...frames] of violations) {
    fixture.server.takeLog();
    const { socket, closed, closeCode } = await openRawWebSocket(fixture.server.port);
    if (code === undefined) socket.pause();
    socket.write(Buffer.concat(frames));
    if (code !== undefined) {
      await closed;
      expect(closeCode(), what).toBe(code);
    }
    await until(`${what} ends the session`, () => endingReasons(fixture.server).length > 0, 5_000);
    socket.destroy();
    await closed;
  }
});

test("a caller who sends requests and audio but never reads costs at most 5 MiB of send buffer", async () => {
  const { server, before } = fixture;
  const caller = await fixture.call();
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  await until("the bot is ready", () => caller.messages.length > 0, 5_000);
  caller.socket.pause();
  const text = { label: "rtvi-ai", type: "send-text", id: "2", data: { content: "x".repeat(100_000) } };
  const voice = cut(tone(440, { durationMs: 1_000 }));
  const fullBytes = 4 * 1024 * 1024;
  const buffered: number[] = [];
  const live: number[] = [];
  // The buffers of the operating system fill first.
  for (let round = 0; round < 100 && buffered.filter((bytes) => bytes > fullBytes).length < 5; round++) {
    for (let count = 0; count < 20; count++) caller.sendMessage(text);
    for (const frame of voice) caller.sendAudio(frame);
    for (let count = 0; count < 10; count++) caller.sendMessage({ label: "rtvi-ai", type: 7 });
    await until("the server has read it", () => caller.socket.bufferedAmount === 0, 10_000);
    const { mostBufferedBytes, liveBytes } = await server.ask("holdings");
    buffered.push(mostBufferedBytes);
    live.push(liveBytes - before.liveBytes);
  }
  expect(Math.max(...buffered)).toBeGreaterThan(fullBytes);
  expect(Math.max(...buffered)).toBeLessThan(1.25 * fullBytes);
  expect(Math.max(...live)).toBeLessThan(40_000_000);
  caller.drop();
  await expectReason("caller-left");
  const warnings = server.log.filter(({ level, session }) => level >= 40 && session !== undefined);
  expect(warnings.length, "warnings and errors").toBeLessThan(10);
});

test("a caller who leaves without reading does not delay the end of the session", async () => {
  const caller = await fixture.call();
  caller.socket.pause();
  caller.socket.close();
  await expectReason("caller-left");
  caller.drop();
  await once(caller.socket, "close");
});

async function expectReason(expected: string): Promise<void> {
  await until("the session ends", () => endingReasons(fixture.server).length > 0, 5_000);
  expect(endingReasons(fixture.server)).toEqual([expected]);
}

/** The handshake without one header, or with replacements for it. */
function handshakeWithout(name: string, ...replacements: string[]): string[] {
  return [...handshake.filter((line) => !line.startsWith(`${name}:`)), ...replacements];
}

test("an invalid handshake gets 400", async () => {
  const handshakes: readonly (readonly string[])[] = [
    handshakeWithout("Sec-WebSocket-Key"),
    handshakeWithout("Sec-WebSocket-Key", "Sec-WebSocket-Key: short"),
    [...handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    handshakeWithout("Sec-WebSocket-Version"),
    handshakeWithout("Sec-WebSocket-Version", "Sec-WebSocket-Version: 7"),
    [...handshake, "Sec-WebSocket-Protocol: ,,a,a"],
    [...handshake, "Sec-WebSocket-Protocol: \u0001"],
    [...handshake, "X-Null: a\0b"],
    [...handshake, "Content-Length: two"],
  ];
  for (const lines of handshakes) await expectRejection("GET /ws-client", lines, 400, "REQUEST_INVALID");
  for (const method of ["POST", "PUT", "DELETE", "HEAD"]) {
    await expectRejection(`${method} /ws-client`, handshake, 400, "REQUEST_INVALID");
  }
});

test("a handshake for an unknown path or session gets 404", async () => {
  const unknownPaths = ["/", "//", "//x/ws-client", "/ws-client/a/b", "/ws-client/../status", "/start", "*"];
  for (const path of unknownPaths) await expectRejection(`GET ${path}`, handshake, 404, "NOT_FOUND");
  const unknownIds = ["/", "nobody", "%", "%00", "%ff", "__proto__", "constructor", "x".repeat(8_000), "'--", "{}"];
  for (const id of unknownIds) await expectRejection(`GET /ws-client/${id}`, handshake, 404, "SESSION_UNKNOWN");
  const noUpgrade = handshakeWithout("Connection");
  await expectRejection("GET /ws-client", noUpgrade, 404, "NOT_FOUND");
});

async function expectRejection(line: string, headers: readonly string[], status: number, code: string): Promise<void> {
  const [answer] = await exchange(fixture.server.port, head(line, ...headers), 1);
  expect(answer, `${line} ${headers.join(", ")}`).toMatchObject({ status });
  if (line.startsWith("HEAD ")) return;
  expect(JSON.parse(answer?.body ?? ""), line).toMatchObject({ code });
}

test("1,000 rejected handshakes at the same time", async () => {
  const paths = ["/nowhere", "/ws-client/nobody"];
  const requests = Array.from({ length: 1_000 }, (_, index) => head(`GET ${paths[index % 2]}`, ...handshake));
  const answers = await Promise.all(requests.map((bytes) => exchange(fixture.server.port, bytes)));
  expect(new Set(answers.map((each) => each.map(({ status }) => status).join()))).toEqual(new Set(["404"]));
});

test("1,000 idle connections cost less than 20 kB each", async () => {
  const connections: RawConnection[] = [];
  for (let count = 0; count < 1_000; count++) connections.push(await dial(fixture.server.port));
  expect(await fixture.server.start()).toMatchObject({ status: 200 }); // the 1,001st connection
  const { handles, liveBytes } = await fixture.server.ask("holdings");
  expect(handles.TCPSocketWrap).toBe((fixture.before.handles.TCPSocketWrap ?? 0) + 1_000);
  expect((liveBytes - fixture.before.liveBytes) / 1_000, "bytes per connection").toBeLessThan(20_000);
  for (const { socket } of connections) socket.destroy();
});

test("1,000 silent callers cost less than 200 kB each", async () => {
  const { server, before } = fixture;
  const callers: WebSocketCaller[] = [];
  for (let count = 0; count < 1_000; count++) callers.push(await fixture.call());
  expect(await server.ask("counts")).toEqual({ pending: 0, active: 1_001 });
  const { liveBytes } = await server.ask("holdings");
  expect((liveBytes - before.liveBytes) / 1_000, "bytes per caller").toBeLessThan(200_000);
  for (const caller of callers) caller.drop();
  await until("their sessions have ended", () => countEndings("caller-left") === 1_000, 10_000);
});

test("of 5,000 sessions without a caller, the newest 1,000 stay and cost less than 30 kB each", async () => {
  const { server, before } = fixture;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const body = JSON.stringify({ body: "x".repeat(10_000) });
  const start = async () => {
    const outgoing = request(`http://127.0.0.1:${server.port}/start`, { method: "POST", agent });
    outgoing.end(body);
    const [answer] = await once(outgoing, "response");
    answer.resume();
    await once(answer, "end");
    return answer.statusCode;
  };
  for (let started = 0; started < 5_000; started += 50) {
    const statuses = await Promise.all(Array.from({ length: 50 }, start));
    expect(new Set(statuses)).toEqual(new Set([200]));
  }
  agent.destroy();
  expect(await server.ask("counts")).toEqual({ pending: 1_000, active: 1 });
  const { liveBytes } = await server.ask("holdings");
  expect((liveBytes - before.liveBytes) / 1_000, "bytes per pending session").toBeLessThan(30_000);
  await until("the log has the evicted sessions", () => countEndings("evicted") === 4_000, 5_000);
  const first = server.log.find(({ reason }) => reason === "evicted");
  await expectRejection(`GET /ws-client/${first?.session}`, handshake, 404, "SESSION_UNKNOWN");
});

function countEndings(reason: string): number {
  return endingReasons(fixture.server).filter((each) => each === reason).length;
}

/** An `AudioRawFrame`, also an impossible one: see `packages/runner-websocket/proto/frames.proto`. */
function audioMessage(audio: Uint8Array, sampleRate: number, channels: number): Buffer {
  const fields = [bytesField(3, audio), numberField(4, sampleRate), numberField(5, channels)];
  return bytesField(2, Buffer.concat(fields));
}

/** A `MessageFrame`. */
function textMessage(data: string): Buffer {
  return bytesField(4, bytesField(1, Buffer.from(data)));
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
