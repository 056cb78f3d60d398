import { inspect } from "node:util";
import type { OptionDefinition } from "@pipecat-ts/runner-core";
import { send } from "@pipecat-ts/runner-core/caller";
import type { Runner } from "@pipecat-ts/runner-host";
import type { FakeCaller, TransportAdapter } from "../adapter.ts";
import { expect } from "../assertions.ts";
import { connectBot, echo } from "../bots.ts";
import { allEnded, expectRefused, type Fixture, invitationOf, type Requirement, walkInOf } from "../fixture.ts";

const apiKey = "conformance-suite-api-key";

/** What must never be printed. */
export const secrets: readonly Requirement[] = [
  {
    id: "SECRET-1",
    title: "Secrets, tokens and phone numbers are never printed: in logs, errors, responses or the banner",
    reason: "Logs are copied into tickets and chats, where anyone can read and use them.",
    turn: "alone",
    async check(fixture) {
      const terminal = captureTerminal();
      const responses: string[] = [];
      let tokens: Secret[];
      try {
        [tokens] = await Promise.all([useTokens(fixture, responses), useCalls(fixture, responses)]);
      } finally {
        terminal.release();
      }
      const logs = [
        ...fixture.logger.lines.map((line) => ["a log line", render(line)] as const),
        ...terminal.texts.map((text) => ["the terminal", text] as const),
      ];
      for (const secret of tokens) expectAbsent(secret, logs);
      const places = [...logs, ...responses.map((text) => ["a response or the banner", text] as const)];
      for (const secret of secretsOf(fixture.adapter)) expectAbsent(secret, places);
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
  return [
    { name: "the API key", value: apiKey },
    ...given,
    ...privateTexts.map((value, index) => ({ name: `private text ${index + 1}`, value })),
  ];
}

function expectAbsent({ name, value }: Secret, places: readonly (readonly [string, string])[]): void {
  // As in a URL, where a phone number's + is %2B.
  const forms = [value, encodeURIComponent(value)];
  const found = places.find(([, text]) => forms.some((form) => text.includes(form)));
  const where = forms.reduce((text, form) => text?.replaceAll(form, `<${name}>`), found?.[1]);
  expect(found === undefined, `${name} is in ${found?.[0]}: ${where}`);
}

/** Calls, refused callers, a failing bot and invalid requests. Adds the responses and the banner. */
async function useCalls(fixture: Fixture, responses: string[]): Promise<void> {
  const bot = { fails: false };
  const { plugin, start, badStarts = [] } = fixture.adapter;
  const walkIn = walkInOf(fixture.adapter);
  const runner = await fixture.open(
    async (args) => {
      if (!bot.fails) return await echo(args);
      await connectBot(args);
      throw new Error("this bot fails on purpose");
    },
    // Without a public URL, a vendor's signature may be impossible to verify, as a key would require.
    walkIn === "verified" ? {} : { apiKey },
  );
  if (start !== false) await hangUp(fixture, runner, await fixture.call(runner));
  if (walkIn) await hangUp(fixture, runner, await fixture.connect(runner));
  if (walkIn === true) responses.push(await expectRefused(fixture, fixture.connect(runner, { key: `${apiKey}x` })));
  bot.fails = true;
  await expectRefused(fixture, fixture.call(runner));
  await allEnded(fixture, runner);

  for (const bad of [...badStarts, { transport: "carrier-pigeon" }, []]) {
    const body = Array.isArray(bad) ? bad : { transport: plugin.name, ...bad };
    const url = new URL("/start", runner.url);
    for (const headers of [{ authorization: `Bearer ${apiKey}` }, { authorization: `Bearer ${apiKey}x` }])
      responses.push((await send(url, { method: "POST", body, headers })).text);
  }
  for (const path of ["/status", "/", "/no-such-path"]) responses.push((await send(new URL(path, runner.url))).text);
  responses.push(JSON.stringify(runner.transports));
  await fixture.within("the runner closes", runner.close(), 2_000);
}

/** A call and a replayed token at a runner that requires tokens and a key. Returns the tokens. */
async function useTokens(fixture: Fixture, responses: string[]): Promise<Secret[]> {
  if (fixture.adapter.start === false) return [];
  const runner = await fixture.open(echo, { webSocketAuth: "token", apiKey });
  const start = invitationOf(await fixture.start(runner));
  await hangUp(fixture, runner, await fixture.connect(runner, { start }));
  responses.push(await expectRefused(fixture, fixture.connect(runner, { start })));
  const { credentials } = fixture.observed(runner);
  await fixture.within("the runner closes", runner.close(), 2_000);
  return credentials
    .filter(({ value, sessionId }) => value !== sessionId)
    .map(({ value }) => ({ name: "a session token", value }));
}

async function hangUp(fixture: Fixture, runner: Runner, caller: FakeCaller): Promise<void> {
  await fixture.within("the caller hangs up", caller.hangUp());
  await allEnded(fixture, runner);
}

/** Captures what is written to the terminal until `release`. */
function captureTerminal(): { readonly texts: readonly string[]; release(): void } {
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
