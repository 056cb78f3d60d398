import { setImmediate as turn } from "node:timers/promises";
import type { PhoneCall } from "./phone-call.ts";

/** Values that a careless or hostile carrier may put where another belongs. */
const oddities: readonly unknown[] = [
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

/** Numbers that look random and are the same for the same seed: from 0 to 1. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * Sends `count` messages made of `samples` by changing, leaving out, doubling and cutting parts of them, with junk and
 * binary messages between. The same `seed` gives the same messages; none of them is among `spared`.
 */
export async function fuzz(
  call: PhoneCall,
  samples: readonly object[],
  { count, seed, spared }: { readonly count: number; readonly seed: number; spared(message: string): boolean },
): Promise<void> {
  const random = createRandom(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  for (let sent = 0; sent < count; ) {
    const text = JSON.stringify(mutate(structuredClone(pick(samples)), pick, random));
    const message = random() < 0.2 ? spoil(text, random) : text;
    if (typeof message === "string" && spared(message)) continue;
    call.send(message);
    sent += 1;
    // As much at once as a socket takes, and no more than it reads.
    if (sent % 100 === 0) await turn();
  }
}

function mutate(value: object, pick: <Item>(items: readonly Item[]) => Item, random: () => number): unknown {
  const fields = value as Record<string, unknown>;
  const keys = Object.keys(fields);
  if (keys.length === 0) return structuredClone(pick(oddities));
  for (let changes = Math.floor(random() * 3); changes > 0; changes--) {
    const key = pick(keys);
    const inner = fields[key];
    const fate = random();
    if (typeof inner === "object" && inner !== null && fate < 0.6) fields[key] = mutate(inner, pick, random);
    else if (fate < 0.75) delete fields[key];
    else if (fate < 0.85 && typeof inner === "string") fields[key] = Number(inner);
    else if (fate < 0.9) fields[key] = JSON.stringify(inner);
    else fields[key] = structuredClone(pick(oddities));
  }
  return fields;
}

function spoil(text: string, random: () => number): string | Uint8Array {
  const fate = random();
  const at = Math.floor(random() * text.length);
  if (fate < 0.3) return text.slice(0, at);
  if (fate < 0.6) return `${text.slice(0, at)}${String.fromCharCode(Math.floor(random() * 256))}${text.slice(at + 1)}`;
  if (fate < 0.8) return Buffer.from(text);
  return Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)));
}
