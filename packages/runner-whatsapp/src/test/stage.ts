import type { Bot } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished } from "vitest";
import type { WhatsAppOptions } from "../options.ts";
import plugin from "../plugin.ts";
import { type FakeGraph, startGraph } from "./fake-graph.ts";
import { business, numbers } from "./webhooks.ts";

/** A listening runner that takes WhatsApp calls, and the Graph API that it speaks to. */
export interface Stage {
  readonly runner: Runner;
  readonly graph: FakeGraph;
  readonly logger: RecordingLogger;
}

/** One that is taken down with the test, in which nothing private may have been logged. */
export async function openStage(
  bot: Bot,
  more: Partial<RunnerOptions> & { readonly whatsapp?: Partial<WhatsAppOptions> } = {},
): Promise<Stage> {
  const { whatsapp, ...runnerOptions } = more;
  const graph = await startGraph();
  const logger = createRecordingLogger();
  const runner = createRunner({
    bot,
    plugins: [plugin],
    pluginOptions: { whatsapp: { ...business, apiUrl: graph.url, ...whatsapp } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...runnerOptions,
  });
  onTestFinished(async () => {
    await runner.close();
    const log = JSON.stringify(logger.lines, (_, value) =>
      value instanceof Error ? `${value.stack} ${value.cause}` : value,
    );
    for (const secret of [
      ...Object.values(numbers),
      "wacid.",
      business.token,
      business.appSecret,
      business.verificationToken,
    ])
      expect(log).not.toContain(secret);
  });
  await runner.listen();
  return { runner, graph, logger };
}
