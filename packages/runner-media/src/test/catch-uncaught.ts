/** Sends uncaught exceptions during `run` to `listener` instead of the test runner, which would fail. */
export async function catchUncaught(listener: (error: Error) => void, run: () => unknown): Promise<void> {
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", listener);
  try {
    await run();
  } finally {
    process.off("uncaughtException", listener);
    for (const other of others) process.on("uncaughtException", other);
  }
}
