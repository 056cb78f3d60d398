import module from "node:module";
import { limitYoungGeneration } from "./young-generation.ts";

// The program of a worker of `--isolation process`. It begins like the command, see main.ts.
module.enableCompileCache?.();
limitYoungGeneration();
const { runWorker } = await import("./gateway.ts");
await runWorker(process.argv.slice(2));
