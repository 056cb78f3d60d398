import { existsSync } from "node:fs";
import type { AudioFrame } from "@pipecat-ts/audio";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type RecordingFile, recordCall, recordTo } from "./recording.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A file in memory. `failAt` is the number of the write that fails, `stall` makes writes wait. */
function fakeFile() {
  const file = {
    bytes: Buffer.alloc(0),
    writes: 0,
    failAt: Number.POSITIVE_INFINITY,
    stall: Promise.resolve(),
    closed: 0,
    async write(bytes: Uint8Array, offset: number, length: number, position: number) {
      await file.stall;
      file.writes += 1;
      if (file.writes === file.failAt) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      const bytesWritten = Math.min(length, 1_000); // a partial write
      const grown = Buffer.alloc(Math.max(file.bytes.length, position + bytesWritten));
      grown.set(file.bytes);
      grown.set(bytes.subarray(offset, offset + bytesWritten), position);
      file.bytes = grown;
      return { bytesWritten };
    },
    async close() {
      file.closed += 1;
    },
  };
  return file;
}

function fakeCall() {
  const audio: Record<"caller" | "bot", ReadableStreamDefaultController<AudioFrame>[]> = { caller: [], bot: [] };
  const lines: string[] = [];
  const ends: ((reason: "caller-left", deadline: AbortSignal) => unknown)[] = [];
  const listen = (side: "caller" | "bot") => () =>
    new ReadableStream<AudioFrame>({
      start: (controller) => void audio[side].push(controller),
      cancel() {
        call.cancelled += 1;
        audio[side].pop();
      },
    });
  const log = (_: object, message: string) => void lines.push(message);
  const call = {
    lines,
    cancelled: 0,
    session: { logger: { error: log, warn: log }, onEnd: (release: (typeof ends)[0]) => void ends.push(release) },
    transport: { listen: listen("caller"), listenOutput: listen("bot") },
    speak(ms: number) {
      const frame = { samples: new Int16Array(ms * 16).fill(7), sampleRate: 16_000, channels: 1 };
      for (const controller of audio.caller) controller.enqueue(frame);
    },
    async end() {
      for (const controller of [...audio.caller, ...audio.bot]) controller.close();
      await Promise.all(ends.map((release) => release("caller-left", new AbortController().signal)));
    },
  };
  return call;
}

function record(call: ReturnType<typeof fakeCall>, file: Promise<RecordingFile> | RecordingFile, sampleRate?: number) {
  const options = { path: "call.wav", sampleRate };
  return recordTo(async () => await file, { session: call.session } as never, call.transport, options);
}

test("the header is right after every write, and the file is complete and closed when the session ends", async () => {
  const file = fakeFile();
  const call = fakeCall();
  const recording = await record(call, file);
  for (let second = 0; second < 3; second++) {
    for (let ms = 0; ms < 1_000; ms += 20) {
      call.speak(20);
      await vi.advanceTimersByTimeAsync(20);
    }
    await vi.advanceTimersByTimeAsync(0);
    expect(file.bytes.readUInt32LE(40)).toBe(file.bytes.length - 44);
    expect(file.bytes.readUInt32LE(4)).toBe(file.bytes.length - 8);
    expect(file.bytes.length).toBeGreaterThan(44 + second * 64_000);
  }
  call.speak(50); // not read yet when the call ends
  call.speak(50);
  await call.end();
  expect(await recording.done).toEqual({ path: "call.wav", durationMs: 3_100, droppedMs: 0 });
  expect(file.bytes.length).toBe(44 + 3.1 * 64_000);
  expect(file.closed).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a write that fails ends the recording, is logged, and leaves the call alone", async () => {
  const file = fakeFile();
  const call = fakeCall();
  const recording = await record(call, file);
  file.failAt = file.writes + 1;
  call.speak(1_000);
  await vi.advanceTimersByTimeAsync(1_100);
  await expect(recording.done).rejects.toThrow("ENOSPC");
  await expect(recording.stop()).rejects.toThrow("ENOSPC");
  expect(call.lines).toEqual(["recording failed"]);
  expect([call.cancelled, file.closed, vi.getTimerCount()]).toEqual([2, 1, 0]);
  await call.end();
  expect(file.closed).toBe(1);
});

test("a failed write is not hidden by later ones that succeed", async () => {
  const file = fakeFile();
  const call = fakeCall();
  const recording = await record(call, file);
  const { promise, resolve } = Promise.withResolvers<void>();
  file.stall = promise;
  call.speak(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  const stopping = recording.stop();
  file.failAt = file.writes + 1;
  file.stall = Promise.resolve();
  resolve();
  await Promise.resolve();
  await expect(stopping).rejects.toThrow("ENOSPC");
});

test("audio that waits for the disk is dropped after 10 s, and counted", async () => {
  const file = fakeFile();
  const call = fakeCall();
  const recording = await record(call, file);
  const { promise, resolve } = Promise.withResolvers<void>();
  file.stall = promise;
  for (let second = 0; second < 60; second++) {
    call.speak(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  file.stall = Promise.resolve();
  resolve();
  const { durationMs, droppedMs } = await recording.stop();
  expect(call.lines).toEqual(["recorded audio dropped: the disk is too slow"]);
  expect(droppedMs).toBeGreaterThan(45_000);
  expect(durationMs + droppedMs).toBeGreaterThan(59_000);
  expect(durationMs + droppedMs).toBeLessThan(61_000);
});

test("rejects a file that exists, or cannot be created, and a sample rate that no file has", async () => {
  const call = fakeCall();
  for (const [code, fix] of [
    ["EEXIST", /another name/],
    ["ENOENT", /Create its folder/],
  ] as const) {
    const failed = record(call, Promise.reject(Object.assign(new Error(code), { code })));
    await expect(failed).rejects.toMatchObject({ code: "OPTION_INVALID", fix: expect.stringMatching(fix) });
  }
  const full = fakeFile();
  full.failAt = 1;
  await expect(record(call, full)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  expect(full.closed).toBe(1);
  await expect(record(call, fakeFile(), 0.5)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  const swapped = recordCall({} as never, {} as never, { path: "call.wav" });
  await expect(swapped).rejects.toMatchObject({ fix: expect.stringContaining("recordCall(args, transport") });
  expect(existsSync("call.wav")).toBe(false);
});
