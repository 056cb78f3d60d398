import type { Memory } from "./outcome.ts";
import type { BotArguments } from "./runners.ts";

/**
 * The arguments of a bot in a form that both runners share: names in camelCase, each value as JSON, and a text for ids, tokens, rooms
 * and ports, which are never the same. Fields without a value are left out: `None` and `undefined`.
 */
export function normalize(given: BotArguments, origin: string, memory: Memory): ReadonlyMap<string, string> {
  const { callData = {}, ...others } = camelCase(given);
  const fields = Object.entries(callData as object).map(([name, value]) => [`callData.${name}`, value] as const);
  const texts = [...Object.entries(others), ...fields].map(
    ([name, value]) => [name, JSON.stringify(value, (_key, item) => describe(item))] as const,
  );
  return new Map(texts);

  function describe(value: unknown): unknown {
    if (value === null) return undefined;
    if (value === Number(new URL(origin).port)) return "the port";
    if (typeof value !== "string") return value;
    if (value === memory.get("sessionId")) return "the id of the reply";
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return "another id";
    if (value.startsWith("eyJ")) return "a token";
    return value.replace(/pipecat-(?:sip-)?[\w-]+$/, "pipecat-…");
  }
}

/** The names of the arguments, and of the fields of `call_data`. The names in bodies are the caller's. */
function camelCase(given: BotArguments): BotArguments {
  const fields = Object.entries(given).filter(([, value]) => value !== null);
  return Object.fromEntries(
    fields.map(([name, value]) => {
      const renamed = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
      return [renamed, name === "call_data" ? camelCase(value as BotArguments) : value];
    }),
  );
}

/** Python's arguments with only those flags in `cli_args` that ours have: Python's also have the defaults of all others. */
export function givenFlags(python: BotArguments, here: BotArguments): BotArguments {
  const flags = camelCase(python.cli_args as BotArguments);
  return {
    ...python,
    cli_args: Object.fromEntries(Object.keys(Object(here.cliArgs)).map((name) => [name, flags[name]])),
  };
}
