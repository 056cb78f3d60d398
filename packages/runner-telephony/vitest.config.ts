import { defineConfig } from "vitest/config";

/** Real sockets on a machine that may be busy: what waits for something waits long, and ends as soon as it has come. */
export default defineConfig({ test: { testTimeout: 30_000, expect: { poll: { timeout: 10_000 } } } });
