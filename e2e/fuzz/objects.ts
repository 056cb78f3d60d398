import fc, { type Arbitrary } from "fast-check";

/** Values of unexpected types and sizes. */
const oddValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 53, 1e308, "", "0", "NaN", "1e999", ".", "..", "\ud83d", "__proto__"),
  fc.constantFrom([], [[]], {}, { event: "start" }, "x".repeat(5_000), "A".repeat(513)),
  fc.jsonValue({ maxDepth: 3 }),
);

/**
 * The objects of an arbitrary, a quarter of them as they are. In the others, a few fields at any depth are replaced, removed, or
 * have another type.
 */
export function almost<Value>(valid: Arbitrary<Value>): Arbitrary<unknown> {
  const change = fc.tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), fc.nat(3), oddValue);
  const changed = fc.tuple(valid, fc.array(change, { minLength: 1, maxLength: 3 })).map(([value, changes]) => {
    const copy: unknown = structuredClone(value);
    for (const [path, kind, odd] of changes) applyChange(copy, path, kind, odd);
    return copy;
  });
  return fc.oneof({ weight: 1, arbitrary: valid }, { weight: 3, arbitrary: changed });
}

/** Walks down `path`, whose numbers choose fields, and changes the last field that exists. */
function applyChange(value: unknown, [index = 0, ...rest]: readonly number[], kind: number, odd: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const fields = value as Record<string, unknown>;
  const keys = Object.keys(fields);
  const key = keys[index % Math.max(1, keys.length)];
  if (key === undefined) return;
  const inner = fields[key];
  if (rest.length > 0 && typeof inner === "object" && inner !== null) applyChange(inner, rest, kind, odd);
  else if (kind === 0) delete fields[key];
  else if (kind === 1 && typeof inner === "string") fields[key] = Number(inner);
  else if (kind === 1) fields[key] = JSON.stringify(inner);
  else fields[key] = structuredClone(odd);
}
