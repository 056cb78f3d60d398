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

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
const colour = /\u001b\[/;

test("JSON lines where nobody watches: time, level, session, fields, and a failure's stack", () => {
  const { logger, written } = capture();
  logger
    .child({ transport: "fake" })
    .child({ session: "1" })
    .error({ err: new Error("no microphone") }, "the bot failed");
  expect(JSON.parse(written())).toMatchObject({
    level: 50,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    transport: "fake",
    session: "1",
    msg: "the bot failed",
    err: { message: "no microphone", stack: expect.stringContaining("logging.test.ts") },
  });
});

test("lines for people on a terminal, in colour unless NO_COLOR is set", async () => {
  const terminal = capture({ isTTY: true });
  terminal.logger.child({ transport: "fake", session: "01234567-89ab" }).info({ reason: "x" }, "session ended");
  await expect.poll(terminal.written).toContain("[toy 01234567] session ended");
  expect(terminal.written()).toMatch(colour);
  expect(terminal.written()).not.toContain("89ab");
  const plain = capture({ isTTY: true, env: { NO_COLOR: "1" } });
  plain.logger.info("hello");
  await expect.poll(plain.written).toContain("hello");
  expect(plain.written()).not.toMatch(colour);
});

test("the level is the least that is written", () => {
  const quiet = capture();
  quiet.logger.debug("x");
  expect(quiet.written()).toBe("");
  const verbose = capture({ level: "debug" });
  verbose.logger.debug("x");
  expect(verbose.written()).toContain('"msg":"x"');
});
