import type { AudioFrame } from "@pipecat-ts/audio";
import { expect, test } from "vitest";
import { createFakeCall, steady } from "./test/fake-call.ts";

async function readAll(stream: ReadableStream<AudioFrame>): Promise<AudioFrame[]> {
  const frames: AudioFrame[] = [];
  for await (const frame of stream) frames.push(frame);
  return frames;
}

test("listenOutput delivers what is sent, without what an interruption drops, and ends with the call", async () => {
  const call = createFakeCall();
  const reading = readAll(call.transport.listenOutput());
  const writer = call.transport.output.getWriter();
  void writer.write(steady(1, 500, 8_000));
  await call.clock.advance(200);
  call.transport.interrupt();
  void writer.write(steady(2, 100));
  await call.clock.advance(300);
  call.caller.left();
  expect(await reading).toEqual(call.sent.map(({ frame }) => frame));
  expect(call.sent.length).toBeGreaterThan(10);
  expect(call.sent.length).toBeLessThan(18);
  expect(await readAll(call.transport.listenOutput())).toEqual([]);
});

test("listenOutput keeps 500 ms for a reader that is behind, counts the rest, and nothing for one that is canceled", async () => {
  const call = createFakeCall();
  const behind = call.transport.listenOutput();
  await call.transport.listenOutput().cancel();
  void call.transport.output.getWriter().write(steady(1, 1_000));
  await call.clock.advance(1_100);
  expect(call.transport.counters.outputUnread).toBe(25);
  expect(call.warnings).toEqual([]);
  call.caller.left();
  expect((await readAll(behind)).length).toBe(25);
});
