/** A gateway with real workers, for tests that kill its process. Prints its URL. */
import { join } from "node:path";
import { createLogger } from "@pipecat-ts/runner-host";
import { createGateway } from "../gateway.ts";

const gateway = createGateway({
  runner: { host: "127.0.0.1", port: 0, logger: createLogger({ level: "silent" }) },
  isolation: {
    ...{ workerSessions: 1, warmWorkers: 2, maxWorkers: 2, workerMemory: undefined, workerCalls: undefined },
  },
  workers: { entry: join(import.meta.dirname, "worker-program.ts"), args: [] },
});
await gateway.listen();
console.log(gateway.url.href);
