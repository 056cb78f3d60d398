/** A gateway with real workers in a process of its own. Takes `IsolationFlags` as JSON, and prints its URL. SIGTERM closes it. */
import { join } from "node:path";
import { createLogger } from "@pipecat-ts/runner-host";
import { createGateway } from "../gateway.ts";

const [, , isolation = "{}"] = process.argv;
const gateway = createGateway({
  runner: { host: "127.0.0.1", port: 0, maxSessions: 1_000, logger: createLogger({ level: "silent" }) },
  isolation: {
    ...{ workerSessions: 1, warmWorkers: 2, maxWorkers: 2, workerMemory: undefined, workerCalls: undefined },
    ...JSON.parse(isolation),
  },
  workers: { entry: join(import.meta.dirname, "worker-program.ts"), args: [] },
});
process.once("SIGTERM", () => void gateway.close());
await gateway.listen();
console.log(gateway.url.href);
