import type { Bot } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished } from "vitest";
import type { WhatsAppOptions } from "../options.ts";
import plugin from "../plugin.ts";
import { type FakeApi, startFakeApi } from "./fake-api.ts";
import { business, numbers, userId } from "./webhooks.ts";

/** For tests: a listening runner for WhatsApp calls, and its Graph API. */
export interface Fixture {
  readonly runner: Runner;
  readonly api: FakeApi;
  readonly logger: RecordingLogger;
}

/** Closed after the test, which fails if a secret or a phone number was logged. */
export async function openFixture(
  bot: Bot,
  options: Partial<RunnerOptions> & { readonly whatsapp?: Partial<WhatsAppOptions> } = {},
): Promise<Fixture> {
  const { whatsapp, ...runnerOptions } = options;
  const api = await startFakeApi();
  const logger = createRecordingLogger();
  const runner = createRunner({
    bot,
    plugins: [plugin],
    pluginOptions: { whatsapp: { ...business, apiUrl: api.url, ...whatsapp } },
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
      userId,
      "wacid.",
      business.token,
      business.appSecret,
      business.verificationToken,
    ])
      expect(log).not.toContain(secret);
  });
  await runner.listen();
  return { runner, api, logger };
}
