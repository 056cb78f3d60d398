import { setImmediate as nextTurn } from "node:timers/promises";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import type { FakeApi, FakeCarrier, PhoneCall } from "@pipecat-ts/runner-telephony/caller";
import { expect, expectSame, until } from "./assertions.ts";
import { connectBot } from "./bots.ts";
import { createRecordingLogger } from "./log.ts";

/** What `fuzzPhoneCall` needs. */
export interface PhoneFuzz {
  readonly plugin: TransportPlugin;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly carrier: FakeCarrier;
  /** The carrier's REST API, if it hangs up through one; `options` have its credentials. */
  readonly api?: FakeApi;
  /** Valid messages of the carrier, from which malformed ones are made. */
  readonly samples: readonly object[];
  /** Whether a message legitimately ends the call. */
  ends(message: string): boolean;
  /** The number of messages. */
  readonly count: number;
  readonly seed: number;
}

const timeoutMs = 10_000;

/** Call ids that no carrier uses, but an attacker may. In a URL path, some of them would name every call of an account. */
const invalidIds = [".", "..", "\ud83d", "%2e", "%2E%2e", "../..", "a/../..", "x?y", "x#y"];

/**
 * Sends malformed messages to a live call, and places calls with invalid ids. The call continues, its bot still gets the
 * caller's keys, nothing is logged as an error, and the API gets no request. Throws an AssertionError.
 */
export async function fuzzPhoneCall({
  plugin,
  options = {},
  carrier,
  api,
  samples,
  ends,
  count,
  seed,
}: PhoneFuzz): Promise<void> {
  const logger = createRecordingLogger();
  let keys = 0;
  const runner = createRunner({
    maxSessions: Number.POSITIVE_INFINITY,
    async bot(args) {
      const transport = await connectBot(args);
      transport.on("dtmf", (key) => {
        if (key === "D") keys += 1;
      });
      await transport.input.pipeTo(transport.output);
    },
    plugins: [plugin],
    pluginOptions: { [plugin.name]: options },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  await runner.listen();
  try {
    const phone = await carrier.call({ at: runner.url });
    await until("the call is live", () => runner.sessions.counts.active === 1, timeoutMs);
    await sendMalformed(phone, samples, { count, seed, skip: ends });
    for (const callId of invalidIds) {
      const invalid = await carrier.call({ at: runner.url, callId, socketUrl: `ws://${runner.url.host}/ws` });
      invalid.drop();
    }
    const before = keys;
    await until(
      "the bot gets a key after the malformed messages",
      () => {
        phone.press("D");
        return keys > before;
      },
      timeoutMs,
    );
    await until("the calls with invalid ids end", () => runner.sessions.counts.active === 1, timeoutMs);
    expectSame("the number of pending sessions", runner.sessions.counts.pending, 0);
    await phone.hangUp();
    await until("the session ends", () => runner.sessions.counts.active === 0, timeoutMs);
    const errors = logger.lines.filter(({ level }) => level === "error");
    expect(errors.length === 0, `logged errors: ${JSON.stringify(errors.slice(0, 3))}`);
  } finally {
    await runner.close();
  }
  const requests = api?.requests.map(({ method, path }) => [method, path]) ?? [];
  expect(requests.length === 0, `the API got ${JSON.stringify(requests)}`);
}

/**
 * Sends `count` messages made from `samples`: parts are changed, removed, duplicated or cut, and random text and bytes are
 * sent between them. The same `seed` gives the same messages.
 */
async function sendMalformed(
  call: PhoneCall,
  samples: readonly object[],
  { count, seed, skip }: { readonly count: number; readonly seed: number; skip(message: string): boolean },
): Promise<void> {
  const random = createRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  for (let sent = 0; sent < count; ) {
    const text = JSON.stringify(mutate(structuredClone(pick(samples)), pick, random));
    const message = random() < 0.2 ? corrupt(text, random) : text;
    if (typeof message === "string" && skip(message)) continue;
    call.sendRaw(message);
    sent += 1;
    // Lets the runner read, so that the socket's buffer stays small.
    if (sent % 100 === 0) await nextTurn();
  }
}

/** Values of unexpected types and sizes. */
const oddValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  7.5,
  1e308,
  "",
  "0",
  "-1",
  "NaN",
  "1e999",
  "stop!",
  "\u0000",
  "=",
  "////",
  "A",
  "🙂".repeat(50),
  "\ud83d",
  ".",
  "..",
  [],
  [[]],
  {},
  { event: "start" },
  JSON.parse('{"__proto__":{"event":"media"},"constructor":1}'),
];

/** Pseudo-random numbers from 0 to 1, determined by the seed. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function mutate(value: object, pick: <Item>(items: readonly Item[]) => Item, random: () => number): unknown {
  const fields = value as Record<string, unknown>;
  const keys = Object.keys(fields);
  if (keys.length === 0) return structuredClone(pick(oddValues));
  for (let changes = Math.floor(random() * 3); changes > 0; changes--) {
    const key = pick(keys);
    const inner = fields[key];
    const choice = random();
    if (typeof inner === "object" && inner !== null && choice < 0.6) fields[key] = mutate(inner, pick, random);
    else if (choice < 0.75) delete fields[key];
    else if (choice < 0.85 && typeof inner === "string") fields[key] = Number(inner);
    else if (choice < 0.9) fields[key] = JSON.stringify(inner);
    else fields[key] = structuredClone(pick(oddValues));
  }
  return fields;
}

function corrupt(text: string, random: () => number): string | Uint8Array {
  const choice = random();
  const at = Math.floor(random() * text.length);
  if (choice < 0.3) return text.slice(0, at);
  if (choice < 0.6)
    return `${text.slice(0, at)}${String.fromCharCode(Math.floor(random() * 256))}${text.slice(at + 1)}`;
  if (choice < 0.8) return Buffer.from(text);
  return Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)));
}
