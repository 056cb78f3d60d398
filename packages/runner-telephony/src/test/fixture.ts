import {
  type Bot,
  createTransport,
  type RunnerArguments,
  type SessionArguments,
  type TransportFactories,
} from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "../../../runner-testing/src/index.ts";
import type { PhoneParams, PhoneTransport } from "../arguments.ts";
import { type FakeApi, type FakeCarrier, openFakeApi } from "../caller/index.ts";
import { createTelephonyPlugin } from "../plugin.ts";
import { createAcme, createAcmePhone } from "./acme.ts";

/** For tests: runners with two carriers, and the means to call them. Close it. */
export interface Fixture {
  readonly phone: FakeCarrier;
  readonly logger: RecordingLogger;
  readonly api: FakeApi;
  /** The calls of the bot. Each ends with its caller, or when a test calls `finish`. */
  readonly calls: { readonly args: SessionArguments; readonly transport: PhoneTransport; finish(): void }[];
  open(options?: FixtureOptions): Promise<Runner>;
  close(): Promise<void>;
}

export interface FixtureOptions extends Partial<RunnerOptions> {
  readonly acme?: Readonly<Record<string, unknown>>;
  readonly params?: PhoneParams;
  readonly bot?: Bot;
}

/** `answer` is how the carrier's API answers; without it, the API hangs up as the carrier does. */
export async function createFixture(answer?: Parameters<typeof openFakeApi>[0]): Promise<Fixture> {
  const phone = createAcmePhone();
  const api = answer ? await openFakeApi(answer) : await phone.openApi();
  const logger = createRecordingLogger();
  const runners: Runner[] = [];
  const calls: Fixture["calls"] = [];
  return {
    phone,
    logger,
    api,
    calls,
    async open({ acme = {}, params = {}, ...options } = {}) {
      const runner = createRunner({
        async bot(args) {
          const transport = await connectPhone(args, params);
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

/** `createTransport` for whichever carrier the call came from. */
export async function connectPhone(args: SessionArguments, params: PhoneParams = {}): Promise<PhoneTransport> {
  const factories: TransportFactories = { [args.transport]: () => params };
  return (await createTransport(args as RunnerArguments, factories)) as PhoneTransport;
}
