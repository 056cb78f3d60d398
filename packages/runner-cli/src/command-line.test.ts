import type { OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { expect, test } from "vitest";
import { helpSections, parseCommand, parsePartly, readCommandLine } from "./command-line.ts";
import { checkBotOptions, type FlagGroup } from "./flags.ts";
import { createProject } from "./test/temporary-project.ts";

const text = (flag: string, more = {}) => ({ flag, description: `About ${flag}`, schema: Type.String(), ...more });
const runner: FlagGroup = {
  name: "Options",
  table: {
    port: { ...text("port"), schema: Type.Integer({ minimum: 0 }), env: "PORT", default: 7860, placeholder: "port" },
    transport: text("transport", { short: "t", placeholder: "name" }),
    open: { ...text("open"), schema: Type.Boolean(), default: false },
    verbose: { ...text("verbose", { short: "v" }), schema: Type.Boolean() },
    silent: { schema: Type.String(), description: "Only from the environment", env: "SILENT" },
  } satisfies OptionTable<Record<string, unknown>>,
};
const phone: FlagGroup = {
  name: "phone",
  table: {
    account: text("phone-account", { env: ["PHONE_ACCOUNT", "OLD_PHONE_ACCOUNT"] }),
    token: text("phone-token", { secret: true, default: "sesame" }),
    numbers: { ...text("phone-numbers"), schema: Type.Array(Type.String()), default: [] },
    shared: text("shared"),
  },
};
const letter: FlagGroup = { name: "letter", table: { stored: text("shared") } };

const parse = (...argv: string[]) => parseCommand(argv, [runner, phone, letter]);

test("a flag sets the option of every group that declares it", () => {
  const { bot, given } = parse(
    "bot.ts",
    "--port",
    "0",
    "-t",
    "phone",
    "--open",
    "--phone-account=AC1",
    "--shared",
    "x",
  );
  expect(bot).toBe("bot.ts");
  expect(given).toEqual({
    Options: { port: "0", transport: "phone", open: true },
    phone: { account: "AC1", shared: "x" },
    letter: { stored: "x" },
  });
  expect(parse("--no-open", "-v", "bot.ts")).toMatchObject({
    bot: "bot.ts",
    given: { Options: { open: false, verbose: true } },
  });
});

test("a one-letter flag belongs to the first group that declares it", () => {
  const late: FlagGroup = {
    name: "late",
    table: { tone: text("tone", { short: "t" }), q: text("quality", { short: "q" }) },
  };
  const { given } = parseCommand(["-t", "phone", "-q", "9", "--tone", "high"], [runner, late]);
  expect(given).toEqual({ Options: { transport: "phone" }, late: { tone: "high", q: "9" } });
});

test("values stay text, as typed", () => {
  for (const value of ["+4930123456", "007", "12345678901234567890", "1e3", "0x10", "a=b", "true"]) {
    expect(parse(`--phone-account=${value}`, "bot.ts").given.phone).toEqual({ account: value });
    expect(parse("--phone-account", value).given.phone).toEqual({ account: value });
    expect(parse("-t", value).given.Options).toEqual({ transport: value });
    expect(parse("-vt", value, "bot.ts").given.Options).toEqual({ transport: value, verbose: true });
  }
  expect(parse("--phone-account=-5").given.phone).toEqual({ account: "-5" });
  expect(parse("7", "--", "8").bot).toBe("7");
  expect(parse("--port", "007", "--phone-account", "7", "--", "--port", "8").given).toMatchObject({
    Options: { port: "007" },
    phone: { account: "7" },
  });
});

test("the last of repeated flags counts; lists are joined", () => {
  const { given } = parse("--port", "1", "--port", "2", "--phone-numbers", "1,2", "--phone-numbers", "+3");
  expect(given).toMatchObject({ Options: { port: "2" }, phone: { numbers: "1,2,+3" } });
});

test("a list flag takes all values up to the next flag, the bot's file or --", () => {
  const values = ["1", "2", "+3"];
  const expected = { bot: "bot.ts", given: { phone: { numbers: "1,2,+3" } } };
  expect(parse("bot.ts", "--phone-numbers", ...values)).toMatchObject(expected);
  expect(parse("--phone-numbers", ...values, "bot.ts")).toMatchObject(expected);
  expect(parse("--phone-numbers", ...values, "--open", "bot.ts")).toMatchObject(expected);
  expect(parse("bot.ts", "--phone-numbers", "1", "--open", "--phone-numbers", "2", "+3")).toMatchObject(expected);
  expect(parse("bot.ts", "--phone-numbers", "1,2", "+3", "-t", "phone")).toMatchObject(expected);
  expect(parse("bot.ts", "--phone-numbers", ...values, "--", "x")).toMatchObject({
    ...expected,
    cliArgs: { "--": ["x"] },
  });
  expect(parse("bot.ts", "--phone-numbers", "a.ts", "b.ts").given.phone).toEqual({ numbers: "a.ts,b.ts" });
  expect(parse("-v", "bot.ts", "--phone-numbers", "1", "b.js").given.phone).toEqual({ numbers: "1,b.js" });
  expect(parseCommand(["--phone-numbers", "1", "b.ts"], [phone], false).given.phone).toEqual({ numbers: "1,b.ts" });
  expect(() => parse("bot.ts", "--phone-numbers=1", "2")).toThrow(/Unexpected argument "2"/);
  expect(() => parse("bot.ts", "--port", "1", "2")).toThrow(/Unexpected argument "2"/);
});

test("the bot is found behind the list of a flag that is not known yet", () => {
  expect(parsePartly(["--phone-numbers", "1", "2", "dir/bot.mts", "-v"], [runner]).bot).toBe("dir/bot.mts");
});

test.each([
  [["--dialin"], "--dialin is a flag of @pipecat-ts/runner-daily,", "npm install @pipecat-ts/runner-daily"],
  [["--no-dialin"], "--dialin is a flag of", "npm install @pipecat-ts/runner-daily"],
  [["--whatsapp"], "--whatsapp is a flag of", "npm install @pipecat-ts/runner-whatsapp"],
  [["--esp32"], "--esp32 is a flag of", "npm install @pipecat-ts/runner-webrtc"],
  [
    ["--ice-servers", "a", "b"],
    "--ice-servers is a flag of @pipecat-ts/runner-webrtc, @pipecat-ts/runner-whatsapp,",
    "one of them",
  ],
])("a flag of a package that is not installed names the package: %j", (argv, message, fix) => {
  expect(() => parse("bot.ts", ...argv)).toThrow(
    expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message),
      fix: expect.stringContaining(fix),
    }),
  );
});

test("cliArgs has the converted flags without secrets, and the arguments after --", () => {
  const { cliArgs } = parse("--port", "80", "--phone-numbers", "1, 2", "--", "--mood", "007");
  expect(cliArgs).toEqual({ port: 80, phoneNumbers: ["1", "2"], "--": ["--mood", "007"] });
  expect(parse().cliArgs).toEqual({});
  expect(parse("--phone-token", "open").cliArgs).toEqual({});
});

test("an unknown flag is rejected with a suggestion", () => {
  const rejection = (...argv: string[]) => {
    try {
      return parse(...argv);
    } catch (error) {
      const { code, message, fix } = error as { code: string; message: string; fix: string };
      return `${code}: ${message} ${fix}`;
    }
  };
  expect(rejection("--prot", "1")).toBe("OPTION_INVALID: --prot is not a flag. Did you mean --port?");
  expect(rejection("--phone-acount=1")).toBe(
    "OPTION_INVALID: --phone-acount is not a flag. Did you mean --phone-account?",
  );
  expect(rejection("-q")).toBe("OPTION_INVALID: -q is not a flag. See pipecat-runner --help.");
  expect(rejection("--silent", "x")).toMatch(/--silent is not a flag/);
  expect(rejection("-t")).toBe("OPTION_INVALID: --transport has no value. Use --transport <name>.");
  expect(rejection("--port", "--open")).toMatch(/--port has no value/);
  expect(rejection("--no-port")).toMatch(/--port has no value/);
  expect(rejection("--phone-account=", "bot.ts")).toMatch(/--phone-account has no value/);
  expect(rejection("--port", "many")).toMatch(/--port.+PORT.+"many".+whole number/);
  expect(rejection("bot.ts", "other.ts")).toMatch(/Unexpected argument "other\.ts"/);
});

test.each([
  [
    ["--capture-audio"],
    "--capture-audio has no effect without --capture. Add --capture <folder>, or omit --capture-audio.",
  ],
  [["--capture-max-files", "5"], "--capture-max-files has no effect without --capture."],
  [
    ["--uploads-folder-max-files", "0"],
    "--uploads-folder-max-files has no effect without --uploads-folder. Add --uploads-folder <path>",
  ],
])("%j is rejected without the flag that it belongs to", async (argv, text) => {
  const folder = createProject({ "package.json": '{"type": "module"}', "bot.js": "export function bot() {}" });
  const rejection: RunnerError = await readCommandLine([`${folder}/bot.js`, ...argv]).then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(`${rejection.message} ${rejection.fix}`).toContain(text);
  const complete = [...argv, "--capture", "captures", "--uploads-folder", "uploads"];
  await expect(readCommandLine([`${folder}/bot.js`, ...complete])).resolves.toBeDefined();
});

test("an argument cannot name the bot when the bot is the program", () => {
  expect(() => parseCommand(["other.ts"], [runner], false)).toThrow(/Unexpected argument "other\.ts"/);
  expect(parseCommand(["--open", "--", "other.ts"], [runner], false).cliArgs).toEqual({
    open: true,
    "--": ["other.ts"],
  });
});

test("flags of others are ignored while the bot is not known", () => {
  const { bot, given } = parsePartly(["--mood", "sad", "-v", "bot.ts", "--port"], [runner]);
  expect(bot).toBe("bot.ts");
  expect(given).toEqual({ Options: { verbose: true } });
});

test("--help lists every flag under its owner, with defaults and variables, without secrets", () => {
  const types = { name: "types", description: "Instead of a bot: writes the types of all the installed transports" };
  const sections = helpSections([runner, phone, { name: "mute", table: {} }], [types], 80);
  const text = sections.map(({ title, body }) => (title === undefined ? body : `${title}:\n${body}`)).join("\n\n");
  expect(text).toBe(`  bot                          The file that exports bot(args). Default: bot.ts,
                               .mts, .js or .mjs, here or in src/.
  types                        Instead of a bot: writes the types of all the
                               installed transports

Options:
      --port <port>            About port [default 7860, PORT]
  -t, --transport <name>       About transport
      --open                   About open
  -v, --verbose                About verbose

phone:
      --phone-account <value>  About phone-account
                               [PHONE_ACCOUNT, OLD_PHONE_ACCOUNT]
      --phone-token <value>    About phone-token
      --phone-numbers <value>  About phone-numbers
      --shared <value>         About shared

Flags in a bot's file are not listed, because --help does not run the bot. To
list them, export them from pipecat-runner.config.ts.`);
});

test.each([
  [7, /"options" in bot\.ts is 7, not a table/],
  [[], /"options" in bot\.ts is \[\], not a table/],
  [{ mood: { flag: "mood" } }, /"mood" in bot\.ts needs/],
  [{ mood: { flag: "Mood", description: "", schema: {} } }, /"mood" in bot\.ts needs/],
  [{ mood: null }, /"mood" in bot\.ts needs/],
  [{ mood: { flag: "port", description: "", schema: {} } }, /--port, which is taken/],
])("invalid options of a bot are rejected: %j", (options, message) => {
  expect(() => checkBotOptions(options, "bot.ts", [runner])).toThrow(
    expect.objectContaining({ code: "BOT_INVALID", message: expect.stringMatching(message) }),
  );
});
