import type { Memory } from "./outcome.ts";
import type { BotArguments } from "./runners.ts";

/**
 * The arguments of a bot in a form that both runners share: names in camelCase, each value as JSON, and a text for ids, tokens, rooms
 * and ports, which are never the same. Fields without a value are left out: `None` and `undefined`.
 */
export function normalize(given: BotArguments, origin: string, memory: Memory): ReadonlyMap<string, string> {
  const fields = Object.entries(camelCase(given) as object);
  return new Map(fields.map(([name, value]) => [name, JSON.stringify(value, (_key, item) => describe(item))]));

  function describe(value: unknown): unknown {
    if (value === Number(new URL(origin).port)) return "the port";
    if (typeof value !== "string") return value;
    if (value === memory.get("sessionId")) return "the id of the reply";
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return "another id";
    if (value.startsWith("eyJ")) return "a token";
    return value.replace(/pipecat-(?:sip-)?[\w-]+$/, "pipecat-…");
  }
}

function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== "object" || value === null) return value;
  const present = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(
    present.map(([name, item]) => [name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()), camelCase(item)]),
  );
}

/** Python's arguments with only those flags in `cli_args` that ours have: Python's also have the defaults of all others. */
export function givenFlags(python: BotArguments, here: BotArguments): BotArguments {
  const flags = camelCase(python.cli_args) as Readonly<Record<string, unknown>>;
  return {
    ...python,
    cli_args: Object.fromEntries(Object.keys(Object(here.cliArgs)).map((name) => [name, flags[name]])),
  };
}
