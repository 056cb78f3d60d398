import { inspect } from "node:util";
import type { OptionDefinition } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../adapter.ts";
import { connectBot, echo } from "../bots.ts";
import { send } from "../http.ts";
import type { Requirement } from "../requirement.ts";
import type { Stage } from "../stage.ts";
import { expect } from "../unmet.ts";
import { allEnded, expectTurnedAway } from "./outcome.ts";

/** What must never be printed. */
export const secrets: readonly Requirement[] = [
  {
    id: "SECRET-1",
    title: "Secrets and callers' numbers are never printed: not in a log line, an error, an answer or the banner",
    reason: "Logs are copied into tickets and chats; whoever reads a vendor's key there can spend its owner's money.",
    alone: true,
    exempts: (adapter) => (secretsOf(adapter).length > 0 ? undefined : "it has no secrets"),
    async check(stage) {
      const printed = overhear();
      let texts: readonly string[];
      try {
        texts = await liveThrough(stage);
      } finally {
        printed.release();
      }
      const places: readonly (readonly [string, string])[] = [
        ...stage.logger.lines.map((line) => ["a log line", render(line)] as const),
        ...texts.map((text) => ["an answer or the banner", text] as const),
        ...printed.texts.map((text) => ["the terminal", text] as const),
      ];
      for (const [index, secret] of secretsOf(stage.adapter).entries()) {
        const found = places.find(([, text]) => text.includes(secret.value));
        const where = found?.[1].replaceAll(secret.value, `<${secret.name}>`);
        expect(found === undefined, `${secret.name} (no. ${index + 1}) is in ${found?.[0]}: ${where}`);
      }
    },
  },
];

interface Secret {
  readonly name: string;
  readonly value: string;
}

function secretsOf({ plugin, options = {}, privateTexts = [] }: TransportAdapter): Secret[] {
  const table: Readonly<Record<string, OptionDefinition>> = plugin.options ?? {};
  const given = Object.entries(table)
    .filter(([, definition]) => definition.secret)
    .flatMap(([name]) => {
      const value = options[name];
      return value === undefined ? [] : [{ name: `the option ${name}`, value: String(value) }];
    });
  return [...given, ...privateTexts.map((value) => ({ name: "a private text", value }))];
}

/** A call, a caller turned away, a failing bot and bad requests; returns every answer and the banner. */
async function liveThrough(stage: Stage): Promise<string[]> {
  const texts: string[] = [];
  const bot = { fails: false };
  const runner = await stage.open(async (args) => {
    if (!bot.fails) return await echo(args);
    await connectBot(args);
    throw new Error("this bot fails on purpose");
  });
  const { plugin, badStarts = [], walkIn = false } = stage.adapter;
  for (const uninvited of walkIn ? [false, true] : [false]) {
    const caller = await (uninvited ? stage.connect(runner) : stage.call(runner));
    await stage.within("the caller hangs up", caller.hangUp());
    await allEnded(stage, runner);
  }
  bot.fails = true;
  await expectTurnedAway(stage, stage.call(runner));
  await allEnded(stage, runner);

  for (const bad of [...badStarts, { transport: "carrier-pigeon" }, []]) {
    const body = Array.isArray(bad) ? bad : { transport: plugin.name, ...bad };
    texts.push((await send(new URL("/start", runner.url), { method: "POST", body })).text);
  }
  for (const path of ["/status", "/", "/no-such-path"]) texts.push((await send(new URL(path, runner.url))).text);
  texts.push(JSON.stringify(runner.transports));
  await stage.within("the runner closes", runner.close(), 2_000);
  return texts;
}

/** Keeps what is written to the terminal until `release`. */
function overhear(): { readonly texts: readonly string[]; release(): void } {
  const texts: string[] = [];
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write);
  const methods = ["debug", "info", "log", "warn", "error"] as const;
  const prints = methods.map((method) => console[method]);
  for (const stream of streams)
    stream.write = (chunk: unknown, ...rest: unknown[]) => {
      texts.push(String(chunk));
      for (const written of rest) if (typeof written === "function") written();
      return true;
    };
  for (const method of methods) console[method] = (...values: unknown[]) => texts.push(values.map(render).join(" "));
  return {
    texts,
    release() {
      for (const [index, stream] of streams.entries()) Object.assign(stream, { write: writes[index] });
      for (const [index, method] of methods.entries()) Object.assign(console, { [method]: prints[index] });
    },
  };
}

function render(value: unknown): string {
  return typeof value === "string"
    ? value
    : inspect(value, { depth: 10, maxStringLength: null, breakLength: Infinity });
}
