import { EventEmitter } from "node:events";
import { Writable } from "node:stream";
import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { createLogger, type LoggerOptions } from "./logging.ts";

function capture(options: LoggerOptions & { readonly isTTY?: boolean } = {}) {
  const { isTTY = false, ...rest } = options;
  const { stream, written } = sink();
  return { logger: createLogger({ stream: Object.assign(stream, { isTTY }), env: {}, ...rest }), written };
}

function sink() {
  let written = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  return { stream, written: () => written };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for color codes
const color = /\u001b\[/;

test("without a terminal, lines are JSON with time, level, session, fields, and the stack of an error", () => {
  const { logger, written } = capture();
  logger
    .child({ transport: "fake" })
    .child({ session: "1" })
    .error({ err: new Error("no microphone") }, "bot failed");
  expect(JSON.parse(written())).toMatchObject({
    level: 50,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    transport: "fake",
    session: "1",
    msg: "bot failed",
    err: { message: "no microphone", stack: expect.stringContaining("logging.test.ts") },
  });
});

test("on a terminal, lines are for people, with colors unless NO_COLOR is set", () => {
  const terminal = capture({ isTTY: true });
  terminal.logger
    .child({ transport: "fake", session: "01234567-0001-8234-9567-0123456789ab" })
    .info({ reason: "x" }, "session ended");
  expect(terminal.written()).toContain("[fake 456789ab] session ended");
  expect(terminal.written()).toMatch(color);
  expect(terminal.written()).not.toContain("01234567-");
  const plain = capture({ isTTY: true, env: { NO_COLOR: "1" } });
  plain.logger.info("hello");
  expect(plain.written()).toContain("hello");
  expect(plain.written()).not.toMatch(color);
});

test("lines below the level are not written", () => {
  const quiet = capture();
  quiet.logger.debug("x");
  expect(quiet.written()).toBe("");
  const verbose = capture({ level: "debug" });
  verbose.logger.debug("x");
  expect(verbose.written()).toContain('"msg":"x"');
});

test("with a hint, people read the place, the message and the fix of an error instead of its stack", () => {
  const { logger, written } = capture({ pretty: true, color: false, stackHint: "-v shows the stack." });
  const own = Object.assign(new TypeError("x is undefined\nsecond line"), {
    stack: `TypeError: x is undefined\n    at f (file:///a/node_modules/b/c.js:1:1)\n    at bot (file://${process.cwd()}/bot.ts:12:5)`,
  });
  logger.error({ err: own }, "bot failed");
  expect(written()).toMatch(
    /bot failed: bot\.ts:12: TypeError: x is undefined\n {4}→ Correct that line\. -v shows the stack\.\n$/,
  );
  expect(written().trimEnd().split("\n")).toHaveLength(2);
  logger.error({ err: new RunnerError("PORT_IN_USE", "Port 1 is in use.", { fix: "Choose another." }) }, "failed");
  expect(written()).toMatch(/failed: Port 1 is in use\.\n {4}→ Choose another\. -v shows the stack\.\n$/);
  logger.error({ err: "undefined was thrown" }, "bot failed");
  expect(written()).toMatch(/bot failed: undefined was thrown\n {4}→ -v shows the stack\.\n$/);
  const json = capture({ pretty: false, stackHint: "-v shows the stack." });
  json.logger.error({ err: own }, "bot failed");
  expect(JSON.parse(json.written()).err.stack, "programs read the whole stack").toContain("node_modules");
});

test("a stream that fails is reported once on the other stream, and its dropped lines when it works again", async () => {
  let works = false;
  let written = "";
  const stream = Object.assign(new EventEmitter(), {
    write(line: string, done: (error?: Error) => void) {
      if (works) written += line;
      process.nextTick(done, works ? undefined : Object.assign(new Error("no space"), { code: "ENOSPC" }));
    },
  });
  const other = sink();
  vi.useFakeTimers();
  try {
    const logger = createLogger({ stream: stream as never, fallback: other.stream, env: {} });
    const child = logger.child({ session: "1" });
    for (let count = 0; count < 3; count++) child.info("lost");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(logger.droppedLines).toBe(3);
    expect(JSON.parse(other.written())).toMatchObject({
      level: 40,
      code: "ENOSPC",
      msg: "log cannot be written; lines are dropped",
    });
    works = true;
    child.info("back");
    await vi.advanceTimersByTimeAsync(0);
  } finally {
    vi.useRealTimers();
  }
  const lines = written.split("\n").filter((line) => line !== "");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { session: "1", msg: "back" },
    { level: 40, lines: 3, msg: "log lines dropped" },
  ]);
});

test.each<[string, () => unknown]>([
  ["a field", () => Object.defineProperty(new Error("g"), "detail", { enumerable: true, get: thrower })],
  ["its cause", () => Object.defineProperty(new Error("c"), "cause", { get: thrower })],
  ["its stack", () => Object.defineProperty(new Error("s"), "stack", { get: thrower })],
  ["everything", revokedProxy],
])("an error whose %s throws when it is read is logged without it", (_, create) => {
  const { logger, written } = capture();
  logger.child({ session: "1" }).error({ err: create() }, "bot failed");
  expect(JSON.parse(written())).toMatchObject({ session: "1", msg: "bot failed", level: 50 });
});

function thrower(): never {
  throw new Error("read");
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
