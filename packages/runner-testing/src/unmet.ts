/** A requirement is not met: the message says what was seen and what was wanted. */
export class Unmet extends Error {
  override readonly name: string = "Unmet";
}

/** Throws Unmet with `what` unless `condition` holds. */
export function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Unmet(what);
}

/** Throws Unmet unless `actual`, described by `what`, is the JSON value `wanted`; the order of keys does not count. */
export function expectSame(what: string, actual: unknown, wanted: unknown): void {
  const [seen, asked] = [stable(actual), stable(wanted)];
  expect(seen === asked, `${what} is ${seen}, not ${asked}`);
}

function stable(value: unknown): string {
  const sorted = (_: string, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return JSON.stringify(value, sorted) ?? String(value);
}
