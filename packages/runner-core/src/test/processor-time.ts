/** How much processor time this thread has spent, in ms. The work of other threads and programs does not count. */
const spentMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/**
 * The processor time that `work` takes, in ms: the least of three rounds, because the first one includes the compiler,
 * and each may collect the garbage of other tests.
 */
export async function leastProcessorMs(work: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const before = spentMs();
    await work();
    least = Math.min(least, spentMs() - before);
  }
  return least;
}
