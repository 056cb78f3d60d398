import type { TSchema } from "typebox";
import * as Type from "typebox";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { RunnerError } from "./errors.ts";
import { type OptionDefinition, type OptionSources, type OptionTable, optionLabel, resolveOptions } from "./options.ts";

const port: OptionDefinition<number> = {
  flag: "port",
  env: "PORT",
  default: 7860,
  description: "Port",
  schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
};

/** One option settled on its own. */
function resolve(definition: OptionDefinition, given?: unknown, env: OptionSources["env"] = {}): unknown {
  const table: OptionTable<{ option: unknown }> = { option: definition as OptionDefinition<NonNullable<unknown>> };
  return resolveOptions(table, { given: { option: given }, env }).option;
}

/** What an option of this schema makes of a text. */
function resolveText(schema: TSchema, text: string): unknown {
  return resolve({ env: "OPTION", description: "", schema }, undefined, { OPTION: text });
}

function messageOf(settle: () => unknown): string {
  try {
    settle();
  } catch (error) {
    expect(error).toMatchObject({ name: "RunnerError", code: "OPTION_INVALID", status: 400 });
    const { message, fix } = error as RunnerError;
    return `${message} ${fix}`;
  }
  throw new Error("It was accepted.");
}

describe("resolveOptions: where a value comes from", () => {
  it("prefers what was given, then the environment, then the default", () => {
    expect(resolve(port, 1, { PORT: "2" })).toBe(1);
    expect(resolve(port, "1", { PORT: "2" })).toBe(1);
    expect(resolve(port, undefined, { PORT: "2" })).toBe(2);
    expect(resolve(port)).toBe(7860);
    expect(resolve({ ...port, default: undefined } as OptionDefinition)).toBeUndefined();
  });

  it("takes values for given that are neither true nor long", () => {
    expect(resolve(port, 0, { PORT: "2" })).toBe(0);
    const open = { flag: "open", env: "OPEN", default: true, description: "", schema: Type.Boolean() };
    expect(resolve(open, false, { OPEN: "yes" })).toBe(false);
    const name = { flag: "name", env: "NAME", default: "x", description: "", schema: Type.String() };
    expect(resolve(name, "", { NAME: "y" })).toBe("");
  });

  it("treats an empty variable as not set", () => {
    expect(resolve(port, undefined, { PORT: "" })).toBe(7860);
  });

  it("takes the first variable that is set, of several", () => {
    const several = { ...port, env: ["PORT", "FALLBACK_PORT"] };
    expect(resolve(several, undefined, { PORT: "1", FALLBACK_PORT: "2" })).toBe(1);
    expect(resolve(several, undefined, { PORT: "", FALLBACK_PORT: "2" })).toBe(2);
  });

  it("settles every option of the table, and nothing that is not in it", () => {
    const table: OptionTable<{ port: number; token?: string }> = {
      port,
      token: { env: "TOKEN", description: "", schema: Type.String(), secret: true },
    };
    expect(resolveOptions(table, { given: { other: 1 }, env: { TOKEN: "t", OTHER: "2" } })).toEqual({
      port: 7860,
      token: "t",
    });
  });

  describe("with no sources", () => {
    afterEach(() => vi.unstubAllEnvs());

    it("reads the process's environment", () => {
      vi.stubEnv("PORT", "81");
      expect(resolveOptions<{ port: number }>({ port })).toEqual({ port: 81 });
    });
  });
});

describe("resolveOptions: what a text means", () => {
  it.each<[string, TSchema, unknown]>([
    ["7860", Type.Integer(), 7860],
    [" 7860\r", Type.Integer(), 7860],
    ["-1", Type.Integer(), -1],
    ["1.5", Type.Number(), 1.5],
    ["true", Type.Boolean(), true],
    ["Yes", Type.Boolean(), true],
    ["on", Type.Boolean(), true],
    ["1", Type.Boolean(), true],
    ["FALSE", Type.Boolean(), false],
    ["no", Type.Boolean(), false],
    ["off", Type.Boolean(), false],
    ["0", Type.Boolean(), false],
    ["12345", Type.String(), "12345"],
    [" as it is ", Type.String(), " as it is "],
    ["slow", Type.Union([Type.Literal("slow"), Type.Literal("fast")]), "slow"],
    ["8000", Type.Union([Type.Literal(8000), Type.Literal(16_000)]), 8000],
    ["fast", Type.Enum(["slow", "fast"]), "fast"],
    ["always", Type.Literal("always"), "always"],
    ["a, b,,c ", Type.Array(Type.String()), ["a", "b", "c"]],
    [",", Type.Array(Type.String()), []],
    ["1,2", Type.Array(Type.Integer()), [1, 2]],
    ["slow,fast", Type.Array(Type.Enum(["slow", "fast"])), ["slow", "fast"]],
  ])("%j for %o is %j", (text, schema, value) => {
    expect(resolveText(schema, text)).toEqual(value);
  });

  it("keeps values that are not text", () => {
    const list = { flag: "list", description: "", schema: Type.Array(Type.String()) };
    expect(resolve(list, ["a,b", " c"])).toEqual(["a,b", " c"]);
    expect(() => resolve({ ...port, schema: Type.String() }, 7860)).toThrow("cannot be 7860");
  });
});

describe("resolveOptions: rejected values", () => {
  it.each<[string, TSchema, string]>([
    ["1.5", Type.Integer(), "a whole number"],
    [" ", Type.Integer(), "a whole number"],
    ["abc", Type.Integer({ minimum: 1 }), "a whole number of at least 1"],
    ["0", Type.Integer({ minimum: 1 }), "a whole number of at least 1"],
    ["10", Type.Integer({ maximum: 9 }), "a whole number of at most 9"],
    ["70000", Type.Integer({ minimum: 0, maximum: 65_535 }), "a whole number from 0 to 65535"],
    ["1,5", Type.Number(), "a number"],
    ["Infinity", Type.Number(), "a number"],
    ["-1", Type.Number({ minimum: 0 }), "a number of at least 0"],
    ["maybe", Type.Boolean(), "true or false"],
    ["constructor", Type.Boolean(), "true or false"],
    ["x", Type.String({ minLength: 2 }), "a text of at least 2 characters"],
    ["faster", Type.Union([Type.Literal("slow"), Type.Literal("fast")]), "one of slow, fast"],
    ["8", Type.Union([Type.Literal(8000), Type.Literal(16_000)]), "one of 8000, 16000"],
    ["x", Type.Enum(["slow", "fast"]), "one of slow, fast"],
    ["never", Type.Literal("always"), "always"],
    ["1,x", Type.Array(Type.Integer()), "a comma-separated list, each item a whole number"],
    ["slow,x", Type.Array(Type.Enum(["slow"])), "a comma-separated list, each item slow"],
    ["a", Type.Array(Type.String(), { minItems: 2 }), "a comma-separated list"],
  ])("%j for %o: use %s", (text, schema, allowed) => {
    expect(messageOf(() => resolveText(schema, text))).toBe(`OPTION cannot be "${text}". Use ${allowed}.`);
  });

  it("an empty flag, unless the text may be empty", () => {
    expect(messageOf(() => resolve(port, ""))).toMatch('--port (or PORT) cannot be "".');
    const host = { flag: "host", description: "", schema: Type.String({ minLength: 1 }) };
    expect(messageOf(() => resolve(host, ""))).toBe('--host cannot be "". Use a non-empty text.');
  });

  it.each([
    [Number.NaN, "NaN"],
    [1n, "1n"],
    [null, "null"],
    [["1", "2"], "[ '1', '2' ]"],
    [true, "true"],
  ])("%o given in code", (given, shown) => {
    const message = messageOf(() => resolve(port, given, { PORT: "1" }));
    expect(message).toBe(`--port (or PORT) cannot be ${shown}. Use a whole number from 0 to 65535.`);
  });
});

describe("resolveOptions: the error for a bad value", () => {
  const allowed = "Use a whole number from 0 to 65535.";

  it("names the source of the value first, then the other ways to set it", () => {
    expect(messageOf(() => resolve(port, "abc", { PORT: "80" }))).toBe(`--port (or PORT) cannot be "abc". ${allowed}`);
    expect(messageOf(() => resolve(port, undefined, { PORT: "abc" }))).toBe(
      `PORT (or --port) cannot be "abc". ${allowed}`,
    );
    const several = { ...port, env: ["PORT", "OLD_PORT"] };
    expect(messageOf(() => resolve(several, undefined, { OLD_PORT: "x" }))).toBe(
      `OLD_PORT (or --port, PORT) cannot be "x". ${allowed}`,
    );
  });

  it("names an option without flag and variable like code does", () => {
    const { flag: _flag, ...noFlag } = port;
    expect(messageOf(() => resolve(noFlag, "x"))).toBe(`option (or PORT) cannot be "x". ${allowed}`);
    const { env: _env, ...neither } = noFlag;
    expect(messageOf(() => resolve(neither, "x"))).toBe(`option cannot be "x". ${allowed}`);
  });

  it("says how to fix it", () => {
    expect(() => resolve(port, "abc")).toThrow(expect.objectContaining({ fix: "Use a whole number from 0 to 65535." }));
  });

  it("never shows a secret value", () => {
    const secret = { flag: "pin", env: "PIN", description: "", schema: Type.Integer(), secret: true };
    for (const given of ["hunter2", ["hunter2"], { pin: "hunter2" }, undefined]) {
      try {
        resolve(secret, given, { PIN: "hunter2" });
        expect.unreachable();
      } catch (error) {
        const { message, fix, stack, cause } = error as Error & { fix: string };
        expect(message).toMatch(/--pin.*: the value is not valid\.$|^PIN/);
        expect([message, fix, stack, String(cause)].join()).not.toContain("hunter2");
      }
    }
  });
});

describe("resolveOptions: options with a parser", () => {
  const range: OptionDefinition = {
    flag: "ports",
    env: "PORTS",
    description: "",
    schema: Type.Array(Type.Integer({ minimum: 1 }), { description: "two ports, like 40000-40100" }),
    parse(text) {
      if (!text.includes("-")) throw new Error("not a range");
      return text.split("-").map(Number);
    },
  };

  it("returns the parsed text, and values from code unchanged", () => {
    expect(resolve(range, "1-2")).toEqual([1, 2]);
    expect(resolve(range, undefined, { PORTS: "3-4" })).toEqual([3, 4]);
    expect(resolve(range, [5, 6])).toEqual([5, 6]);
  });

  it("rejects unreadable and disallowed text with the description of the schema", () => {
    const message = (text: string) => messageOf(() => resolve(range, text));
    expect(message("7")).toBe('--ports (or PORTS) cannot be "7". Use two ports, like 40000-40100.');
    expect(message("0-1")).toBe('--ports (or PORTS) cannot be "0-1". Use two ports, like 40000-40100.');
  });
});

describe("optionLabel", () => {
  it("says how a person sets the option", () => {
    expect(optionLabel("port", port)).toBe("--port or PORT");
    expect(optionLabel("token", { env: ["TOKEN", "OLD_TOKEN"], description: "", schema: Type.String() })).toBe(
      "TOKEN or OLD_TOKEN",
    );
    expect(optionLabel("token", { description: "", schema: Type.String() })).toBe("token");
  });
});
