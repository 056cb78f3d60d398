import module from "node:module";

// The program of a worker of `--isolation process`. Compiled code is cached as in the command, see main.ts.
module.enableCompileCache();
const { runWorker } = await import("./isolated.ts");
await runWorker(process.argv.slice(2));
