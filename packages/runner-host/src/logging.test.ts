import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./logging.ts";

function capture(options: LoggerOptions & { readonly isTTY?: boolean } = {}) {
  const { isTTY = false, ...rest } = options;
  let written = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  const logger = createLogger({ stream: Object.assign(stream, { isTTY }), env: {}, ...rest });
  return { logger, written: () => written };
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

test("on a terminal, lines are for people, with colors unless NO_COLOR is set", async () => {
  const terminal = capture({ isTTY: true });
  terminal.logger.child({ transport: "fake", session: "01234567-89ab" }).info({ reason: "x" }, "session ended");
  await expect.poll(terminal.written).toContain("[fake 01234567] session ended");
  expect(terminal.written()).toMatch(color);
  expect(terminal.written()).not.toContain("89ab");
  const plain = capture({ isTTY: true, env: { NO_COLOR: "1" } });
  plain.logger.info("hello");
  await expect.poll(plain.written).toContain("hello");
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
