import type { RunnerConfig } from "pipecat-runner";
import plugin from "./src/plugin.ts";

const config: RunnerConfig = { plugins: [plugin] };
export default config;
