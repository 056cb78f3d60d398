import type { TransportPlugin } from "@pipecat-ts/runner-core";

/** For tests: a transport of another kind, which callers may choose. */
const plugin: TransportPlugin = {
  name: "other",
  open: (runner) => ({
    start() {
      const { id } = runner.createSession();
      return { sessionId: id, body: {} };
    },
    close: async () => undefined,
  }),
};
export default plugin;
