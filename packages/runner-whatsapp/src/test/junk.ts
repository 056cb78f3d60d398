import { connectOf, newCallId, sign, terminateOf } from "./webhooks.ts";

/** An invalid request. */
export interface Junk {
  readonly method: "GET" | "POST";
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer<ArrayBuffer> | undefined;
}

/** For tests: creates requests that are almost valid, the same ones for the same `seed`. */
export function createJunk(seed: number): () => Junk {
  const random = createRandom(seed);
  const pick = <T>(values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];

  /** Replaces, drops or doubles some value in `value`. */
  function mutate(value: unknown): unknown {
    if (random() < 0.15) return pick(oddities);
    if (Array.isArray(value)) return random() < 0.1 ? [...value, ...value] : value.map(mutateAt(value.length));
    if (typeof value !== "object" || value === null) return random() < 0.5 ? value : pick(oddities);
    const entries = Object.entries(value);
    const at = Math.floor(random() * entries.length);
    return Object.fromEntries(
      entries.flatMap(([key, each], index) => {
        if (index !== at) return [[key, each]];
        return random() < 0.1 ? [] : [[random() < 0.05 ? `${key}x` : key, mutate(each)]];
      }),
    );
  }

  function mutateAt(length: number): (value: unknown, index: number) => unknown {
    const at = Math.floor(random() * length);
    return (value, index) => (index === at ? mutate(value) : value);
  }

  function mutateBytes(text: string): Buffer<ArrayBuffer> {
    const bytes = Buffer.from(text);
    for (let times = 0; times < 1 + random() * 4; times++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
    return bytes.subarray(0, random() < 0.3 ? Math.floor(random() * bytes.length) : bytes.length);
  }

  function signature(body: string | Buffer): Record<string, string> {
    const valid = sign(body);
    const given = pick([valid, valid, valid, valid, "", sign("other"), `${valid}00`, valid.slice(0, 30), "sha256="]);
    return given === "" ? {} : { "x-hub-signature-256": given };
  }

  return () => {
    if (random() < 0.05) {
      const query = pick([
        "",
        "?hub.mode=subscribe",
        "?hub.mode=subscribe&hub.verify_token=x&hub.challenge=1",
        "?hub.mode=a&hub.mode=b",
        "?%",
      ]);
      return { method: "GET", query, headers: {}, body: undefined };
    }
    const webhook = random() < 0.3 ? connectOf(newCallId(), pick(offers)) : terminateOf(newCallId());
    const text = JSON.stringify(random() < 0.2 ? webhook : mutate(webhook));
    const body = random() < 0.2 ? mutateBytes(text) : text;
    const type = pick([
      "application/json",
      "application/json",
      "application/json",
      "text/plain",
      "image/png",
      "application/x-www-form-urlencoded",
    ]);
    return { method: "POST", query: "", headers: { "content-type": type, ...signature(body) }, body };
  };
}

const offers: readonly [string, ...string[]] = [
  "v=0",
  "",
  "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
  "v=0\r\nm=audio 99999 x 1\r\na=ice-pwd",
  "\u0000",
];

const oddities: readonly [unknown, ...unknown[]] = [
  null,
  "",
  0,
  -1,
  1e300,
  true,
  [],
  {},
  [[[]]],
  "wacid.",
  "connect",
  "x".repeat(5_000),
  { __proto__: null, constructor: 1 },
  "\ud800",
];

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
