import { expect } from "vitest";

/** How long one message may block the event loop by default, in ms. */
const maxBlockMs = 50;

/** What a message may cost whatever its size, and each of its bytes in addition. */
export interface Cost {
  readonly messageMicros: number;
  readonly byteMicros: number;
  /** How long one message may block the event loop, in ms. Default 50. */
  readonly blockMs?: number;
}

/** Processor time of this thread: other programs on the machine must not count, nor V8's helper threads, which block nothing. */
export async function micros(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}

/** Fails if one of the messages takes longer than `blockMs`, or if all of them cost more than stated. */
export async function expectCost<Message extends { readonly length: number }>(
  messages: readonly Message[],
  receive: (message: Message) => unknown,
  { messageMicros, byteMicros, blockMs = maxBlockMs }: Cost,
): Promise<void> {
  const bytes = messages.reduce((sum, { length }) => sum + length, 0);
  const maxTotal = messageMicros * messages.length + byteMicros * bytes;
  let blocked = Number.POSITIVE_INFINITY;
  let total = Number.POSITIVE_INFINITY;
  // The least of up to four rounds: the first ones include the compiler.
  for (let round = 0; round < 4 && (blocked >= blockMs * 1_000 || total >= maxTotal); round++) {
    const costs: number[] = [];
    for (const message of messages) costs.push(await micros(() => receive(message)));
    blocked = Math.min(blocked, Math.max(...costs));
    const [first = 0, ...others] = costs;
    // Many are measured as a whole: reading the processor time costs more than some messages.
    const all =
      others.length === 0
        ? first
        : await micros(async () => {
            for (const message of messages) await receive(message);
          });
    total = Math.min(total, all);
  }
  expect(blocked / 1_000, "ms for one message").toBeLessThan(blockMs);
  expect(total, "µs for all messages").toBeLessThan(maxTotal);
}
