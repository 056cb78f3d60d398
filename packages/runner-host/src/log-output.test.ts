import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogOutput } from "./log-output.ts";

const mebi = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

/** A stream that works again after an error, as stdout does, and its output. */
function setUp() {
  let text = "";
  let code: string | undefined;
  let blocked = false;
  const waiting: (readonly [line: string, done: (error?: Error) => void])[] = [];
  const stream = Object.assign(new EventEmitter(), { writableLength: 0, write });
  const events: string[] = [];
  const output = createLogOutput(stream as never, {
    onFailed: (reason) => events.push(`failed ${reason}`),
    onRestored: (lines) => events.push(`restored ${lines}`),
  });

  function write(line: string, done: (error?: Error) => void): void {
    waiting.push([line, done]);
    stream.writableLength += line.length;
    if (!blocked) flush();
  }

  function flush(): void {
    for (const [line, done] of waiting.splice(0)) {
      stream.writableLength -= line.length;
      if (code === undefined) {
        text += line;
        process.nextTick(done);
      } else {
        const error = Object.assign(new Error("cannot write"), { code });
        process.nextTick(done, error);
        process.nextTick(() => stream.emit("error", error));
      }
    }
  }

  return {
    stream,
    output,
    events,
    text: () => text,
    fail: (reason?: string) => {
      code = reason;
    },
    block: () => {
      blocked = true;
    },
    unblock() {
      blocked = false;
      flush();
    },
  };
}

/** The callbacks of writes run in later ticks. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test.each(["EPIPE", "ENOSPC", "EIO"])("after %s, lines are dropped, and one is tried per second", async (code) => {
  const { output, events, text, fail } = setUp();
  output.write("one\n");
  fail(code);
  output.write("two\n");
  await settle();
  expect(events).toEqual([`failed ${code}`]);
  fail();
  output.write("three\n");
  await vi.advanceTimersByTimeAsync(999);
  output.write("four\n");
  expect(text()).toBe("one\n");
  expect(output.droppedLines).toBe(3);
  await vi.advanceTimersByTimeAsync(1);
  output.write("five\n");
  await settle();
  expect(text(), "the line that failed may have been cut off").toBe("one\n\nfive\n");
  expect(events).toEqual([`failed ${code}`, "restored 3"]);
  output.write("six\n");
  expect(text()).toBe("one\n\nfive\nsix\n");
});

test("a stream that fails again and again is reported once a minute", async () => {
  const { output, events, fail } = setUp();
  for (let second = 0; second < 90; second++) {
    fail("ENOSPC");
    output.write("lost\n");
    await vi.advanceTimersByTimeAsync(1_000);
    fail();
    output.write("written\n");
    await settle();
  }
  expect(events.filter((event) => event.startsWith("failed"))).toHaveLength(2);
  expect(output.droppedLines).toBe(90);
});

test("a reader that stops reading costs 1 MiB; it gets what waited, and the number of dropped lines", async () => {
  const { stream, output, events, text, block, unblock } = setUp();
  block();
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 5_000; count++) output.write(line);
  await settle();
  expect(stream.writableLength).toBe(mebi);
  expect(output.droppedLines).toBe(5_000 - 1_024);
  expect(events).toEqual(["failed BLOCKED"]);
  unblock();
  await settle();
  expect(text()).toBe(line.repeat(1_024));
  expect(events).toEqual(["failed BLOCKED", `restored ${5_000 - 1_024}`]);
  output.write("more\n");
  expect(text().endsWith("more\n")).toBe(true);
});

test("lines before a reader went away count as dropped when their write fails", async () => {
  const { output, fail, block, unblock } = setUp();
  block();
  for (let count = 0; count < 10; count++) output.write("line\n");
  fail("EPIPE");
  unblock();
  await settle();
  expect(output.droppedLines).toBe(10);
});

test("a line that is too long is dropped, and the next one is written", async () => {
  const { output, events, text } = setUp();
  output.write("x".repeat(mebi + 1));
  output.write("short\n");
  await settle();
  expect(text()).toBe("short\n");
  expect(events).toEqual(["failed LINE_TOO_LONG", "restored 1"]);
});

test("a stream that throws, or is destroyed, does not make logging throw", async () => {
  const stream = new PassThrough();
  const events: string[] = [];
  const output = createLogOutput(stream, {
    onFailed: (code) => events.push(`failed ${code}`),
    onRestored: () => undefined,
  });
  stream.destroy(new Error("gone"));
  output.write("line\n");
  await settle();
  expect(output.droppedLines).toBe(1);
  expect(events).toEqual(["failed ERR_STREAM_DESTROYED"]);

  const throwing = setUp();
  throwing.stream.write = () => {
    throw new TypeError("broken");
  };
  throwing.output.write("line\n");
  expect(throwing.events).toEqual(["failed TypeError"]);
});

test("several outputs add one error listener to a stream", () => {
  const { stream } = setUp();
  for (let count = 0; count < 20; count++) {
    createLogOutput(stream as never, { onFailed: () => undefined, onRestored: () => undefined });
  }
  expect(stream.listenerCount("error")).toBe(1);
});
