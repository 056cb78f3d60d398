import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import type { DailyRunnerArguments } from "../arguments.ts";
import plugin from "../plugin.ts";
import { apiKey, type DailyApi } from "./daily-api.ts";

/** For tests: runs one bot without a server, which returns at once. */
export async function openDirectly(
  api: DailyApi,
): Promise<{ readonly args: DailyRunnerArguments; readonly logger: RecordingLogger }> {
  const logger = createRecordingLogger();
  const seen = Promise.withResolvers<DailyRunnerArguments>();
  const runner = createRunner({
    bot: (args) => {
      if (args.transport === "daily") seen.resolve(args);
    },
    plugins: [plugin],
    pluginOptions: { daily: { apiKey, apiUrl: api.url } },
    env: {},
    logger,
  });
  await runner.direct("daily");
  return { args: await seen.promise, logger };
}
