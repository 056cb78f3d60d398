/** Random numbers that are the same every time: what fails once fails again. */
export interface Random {
  /** An integer from 0 up to, but not including, `below`. */
  number(below: number): number;
  pick<T>(of: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** The mulberry32 generator. */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const number = (below: number) => next() % below;
  return {
    number,
    pick: (of) => of[number(of.length)] as (typeof of)[number],
    bytes: (length) => Buffer.from(Array.from({ length }, () => number(256))),
  };
}
