/** Runs the tests that need Pipecat's Python clients and eval harness, and installs them first (`pnpm test:python`). */
import { spawnSync } from "node:child_process";
import { installPipecat } from "./python.ts";

const env = { ...process.env, PIPECAT_PYTHON: installPipecat() };
const tests = ["run", "--project", "realtime", "e2e/python/", "e2e/evals/"];
const { status } = spawnSync("vitest", tests, { stdio: "inherit", env });
process.exit(status ?? 1);
