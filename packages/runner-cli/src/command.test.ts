import type { OptionTable } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { expect, test } from "vitest";
import { parseCommand } from "./command.ts";
import type { FlagGroup } from "./flags.ts";
import { helpText } from "./help.ts";

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
const letter: FlagGroup = { name: "letter", table: { kept: text("shared") } };

const parse = (...argv: string[]) => parseCommand(argv, [runner, phone, letter]);

test("flags reach the options of those who have them, in every spelling", () => {
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
    letter: { kept: "x" },
  });
  expect(parse("--no-open", "-v", "bot.ts")).toMatchObject({
    bot: "bot.ts",
    given: { Options: { open: false, verbose: true } },
  });
});

test("a letter stays with the first who has it", () => {
  const late: FlagGroup = {
    name: "late",
    table: { tone: text("tone", { short: "t" }), q: text("quality", { short: "q" }) },
  };
  const { given } = parseCommand(["-t", "phone", "-q", "9", "--tone", "high"], [runner, late]);
  expect(given).toEqual({ Options: { transport: "phone" }, late: { tone: "high", q: "9" } });
});

test("values stay the text they were", () => {
  for (const value of ["+4930123456", "007", "12345678901234567890", "1e3", "0x10", "", "a=b", "true"]) {
    expect(parse(`--phone-account=${value}`, "bot.ts").given.phone).toEqual({ account: value });
    if (value !== "") expect(parse("--phone-account", value).given.phone).toEqual({ account: value });
  }
  expect(parse("--phone-account=-5").given.phone).toEqual({ account: "-5" });
  expect(parse("7", "--", "8").bot).toBe("7");
});

test("given twice, the second counts; lists grow", () => {
  const { given } = parse("--port", "1", "--port", "2", "--phone-numbers", "1,2", "--phone-numbers", "+3");
  expect(given).toMatchObject({ Options: { port: "2" }, phone: { numbers: "1,2,+3" } });
});

test("bots see what was given, converted, and what stands behind --", () => {
  const { cliArgs } = parse("--port", "80", "--phone-numbers", "1, 2", "--", "--mood", "007");
  expect(cliArgs).toEqual({ port: 80, phoneNumbers: ["1", "2"], "--": ["--mood", "007"] });
  expect(parse().cliArgs).toEqual({});
  expect(parse("--phone-token", "open").cliArgs).toEqual({});
});

test("a flag nobody knows is refused, with the one that was meant", () => {
  const refused = (...argv: string[]) => {
    try {
      return parse(...argv);
    } catch (error) {
      const { code, message, fix } = error as { code: string; message: string; fix: string };
      return `${code}: ${message} ${fix}`;
    }
  };
  expect(refused("--prot", "1")).toBe("OPTION_INVALID: There is no flag --prot. Did you mean --port?");
  expect(refused("--phone-acount=1")).toBe(
    "OPTION_INVALID: There is no flag --phone-acount. Did you mean --phone-account?",
  );
  expect(refused("-q")).toBe("OPTION_INVALID: There is no flag -q. See pipecat-runner --help.");
  expect(refused("--silent", "x")).toMatch(/There is no flag --silent/);
  expect(refused("-t")).toBe("OPTION_INVALID: --transport was given no value. Write --transport <name>.");
  expect(refused("--port", "--open")).toMatch(/--port was given no value/);
  expect(refused("--no-port")).toMatch(/--port was given no value/);
  expect(refused("--port", "many")).toMatch(/--port.+PORT.+"many".+whole number/);
  expect(refused("bot.ts", "other.ts")).toMatch(/The argument "other\.ts" is one too many/);
});

test("where the program is the bot, no argument names one", () => {
  expect(() => parseCommand(["other.ts"], [runner], false)).toThrow(/The argument "other\.ts" is one too many/);
  expect(parseCommand(["--open", "--", "other.ts"], [runner], false).cliArgs).toEqual({
    open: true,
    "--": ["other.ts"],
  });
});

test("--help lists every flag under its owner, with defaults and variables, and no secret", () => {
  const text = helpText("1.2.3", [runner, phone, { name: "mute", table: {} }], 80);
  expect(text).toBe(`pipecat-runner 1.2.3: runs a voice bot and lets callers in.

Usage: pipecat-runner [bot] [options] [-- arguments for the bot]

  bot                          The file that exports bot(args). Default: bot.ts,
                               .mts, .js or .mjs, here or in src/.

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
      --shared <value>         About shared`);
});
