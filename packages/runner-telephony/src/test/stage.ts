import type { Bot, SessionArguments, TransportParams } from "@pipecat-ts/runner-core";
import { connectOf } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import { type FakeApi, type FakeCarrier, openFakeApi } from "@pipecat-ts/runner-testing/phone";
import { createTelephonyPlugin } from "../plugin.ts";
import type { PhoneTransport } from "../transport.ts";
import { createAcme } from "./acme.ts";
import { createAcmePhone } from "./acme-phone.ts";

/** For tests: runners with the fifth carrier, and what it takes to call them. Close it. */
export interface Stage {
  readonly phone: FakeCarrier;
  readonly logger: RecordingLogger;
  readonly api: FakeApi;
  /** The bots that were called: each ends with its call, or when a test lets it. */
  readonly calls: { readonly args: SessionArguments; readonly transport: PhoneTransport; finish(): void }[];
  open(options?: StageOptions): Promise<Runner>;
  close(): Promise<void>;
}

export interface StageOptions extends Partial<RunnerOptions> {
  readonly acme?: Readonly<Record<string, unknown>>;
  readonly params?: TransportParams & { readonly autoHangUp?: boolean };
  readonly bot?: Bot;
}

export async function createStage(answer?: Parameters<typeof openFakeApi>[0]): Promise<Stage> {
  const phone = createAcmePhone();
  const api = answer ? await openFakeApi(answer) : await phone.openApi();
  const logger = createRecordingLogger();
  const runners: Runner[] = [];
  const calls: Stage["calls"] = [];
  return {
    phone,
    logger,
    api,
    calls,
    async open({ acme = {}, params = {}, ...options } = {}) {
      const runner = createRunner({
        async bot(args) {
          const transport = (await connectOf(args)(params)) as PhoneTransport;
          const finished = Promise.withResolvers<void>();
          calls.push({ args, transport, finish: finished.resolve });
          await Promise.race([finished.promise, transport.closed]);
        },
        plugins: [createTelephonyPlugin(createAcme()), createTelephonyPlugin(createAcme("bell"))],
        pluginOptions: { acme: { key: "a key", apiUrl: api.url, ...acme } },
        host: "127.0.0.1",
        port: 0,
        env: {},
        logger,
        ...options,
      });
      runners.push(runner);
      await runner.listen();
      return runner;
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
      await api.close();
    },
  };
}
