import { connectOf, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "./log.ts";
import { until } from "./patience.ts";
import type { FakeApi } from "./phone-api.ts";
import type { FakeCarrier } from "./phone-carrier.ts";
import { fuzz } from "./phone-fuzz.ts";
import { expect, expectSame } from "./unmet.ts";

/** What junk is sent with. */
export interface PhoneJunk {
  readonly plugin: TransportPlugin;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly carrier: FakeCarrier;
  /** Its REST API, where calls are hung up by one; `options` have its credentials. */
  readonly api?: FakeApi;
  /** The carrier's messages, of which the junk is made. */
  readonly samples: readonly object[];
  /** Whether a message rightly ends the call. */
  ends(message: string): boolean;
  readonly count: number;
  readonly seed: number;
}

const patienceMs = 10_000;

/** Ids that no carrier gives a call, but whoever finds the socket. In a path some would name every call of an account. */
const oddIds = [".", "..", "\ud83d", "%2e", "%2E%2e", "../..", "a/../..", "x?y", "x#y"];
/** Those that can be named in a path, as they stand there. */
const oddSegments = oddIds.filter((id) => id.isWellFormed() && !/^\.+$/.test(id)).map(encodeURIComponent);

/**
 * Sends a live call junk made of its carrier's messages, and places calls with ids that are none: the call goes on, its bot
 * hears the caller's keys afterwards, nothing is logged as an error, and the API was asked about single calls alone. Throws
 * Unmet.
 */
export async function liveThroughJunk({
  plugin,
  options = {},
  carrier,
  api,
  samples,
  ends,
  count,
  seed,
}: PhoneJunk): Promise<void> {
  const logger = createRecordingLogger();
  let keys = 0;
  const runner = createRunner({
    async bot(args) {
      const transport = await connectOf(args)({});
      transport.on("dtmf", (key) => {
        if (key === "D") keys += 1;
      });
      await transport.input.pipeTo(transport.output);
    },
    plugins: [plugin],
    pluginOptions: { [plugin.name]: options },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  await runner.listen();
  try {
    const phone = await carrier.call({ at: runner.url });
    await until("the call is live", () => runner.sessions.counts.active === 1, patienceMs);
    await fuzz(phone, samples, { count, seed, spared: ends });
    for (const callId of oddIds) {
      const odd = await carrier.call({ at: runner.url, callId, socketUrl: `ws://${runner.url.host}/ws` });
      odd.drop();
    }
    const before = keys;
    await until(
      "the bot hears a key after the junk",
      () => {
        phone.press("D");
        return keys > before;
      },
      patienceMs,
    );
    await until("the odd calls are over", () => runner.sessions.counts.active === 1, patienceMs);
    expectSame("pending sessions after the junk", runner.sessions.counts.pending, 0);
    await phone.hangUp();
    await until("the session ends", () => runner.sessions.counts.active === 0, patienceMs);
    const errors = logger.lines.filter(({ level }) => level === "error");
    expect(errors.length === 0, `errors were logged: ${JSON.stringify(errors.slice(0, 3))}`);
  } finally {
    await runner.close();
  }
  if (!api) return;
  const strange = api.requests.filter(({ path }) => !oddSegments.some((segment) => path.includes(segment)));
  expect(api.requests.length > 0, "the API was asked nothing about calls that broke off");
  expect(
    strange.length === 0,
    `the API was asked ${JSON.stringify(strange.map(({ method, path }) => [method, path]))}`,
  );
}
