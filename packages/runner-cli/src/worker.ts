import module from "node:module";
import { tuneGarbageCollection } from "./garbage-collection.ts";

// The program of a worker of `--isolation process`. It begins like the command, see main.ts.
module.enableCompileCache?.();
tuneGarbageCollection();
const { runWorker } = await import("./gateway.ts");
await runWorker(process.argv.slice(2));
