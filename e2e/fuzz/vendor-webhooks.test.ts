import { createHmac } from "node:crypto";
import { isRunnerError, type RouteContext } from "@pipecat-ts/runner-core";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { createDialinRoute } from "../../packages/runner-daily/src/webhook.ts";
import { parseCallEvents } from "../../packages/runner-whatsapp/src/messages.ts";
import { fuzz } from "./fuzz.ts";
import { almost } from "./objects.ts";

/** The first `length` characters of `unit`, repeated. */
const repeated = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

test("bodies of Daily's dial-in webhook of any content start a call or are rejected", async () => {
  const sipHeaders = fc.dictionary(fc.string({ maxLength: 40 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 150 });
  const call = { From: "+15550100", To: "+15550199", callId: "call-1", callDomain: "domain-1" };
  const body: Arbitrary<string> = fc.oneof(
    { weight: 6, arbitrary: almost(fc.record({ ...constants(call), sipHeaders })).map((each) => JSON.stringify(each)) },
    { weight: 2, arbitrary: fc.string({ maxLength: 200 }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom("[", '{"a":', '{"callId":"', '{"test":0,"a":[1,', " "), fc.nat(65_536))
        .map(([unit, length]) => repeated(unit, length)),
    },
  );
  const secret = Buffer.from("a secret").toString("base64");
  let calls = 0;
  let rejected = 0;
  const route = createDialinRoute({
    verification: { secret },
    logger: createRecordingLogger(),
    requireReady: () => undefined,
    async answer() {
      calls++;
      return {};
    },
  });
  await fuzz(fc.tuple(body, fc.boolean()), async ([rawBody, isSigned]) => {
    const timestamp = String(Date.now());
    const hmac = createHmac("sha256", Buffer.from(secret, "base64")).update(`${timestamp}.${rawBody}`);
    const headers: Readonly<Record<string, string>> = {
      "x-pinless-timestamp": timestamp,
      "x-pinless-signature": isSigned ? hmac.digest("base64") : rawBody.slice(0, 44),
    };
    const ctx = { request: { rawBody }, get: (name: string) => headers[name] ?? "" };
    try {
      await route.handle(ctx as Partial<RouteContext> as RouteContext, async () => undefined);
    } catch (error) {
      if (!isRunnerError(error) || error.status >= 500) throw error;
      rejected++;
    }
  });
  expect(Math.min(calls, rejected)).toBeGreaterThan(100);
});

test("bodies of WhatsApp's webhook of any content are parsed", async () => {
  const session = fc.record({ sdp: fc.string({ maxLength: 100 }), sdp_type: fc.constant("offer") });
  const connect = fc.record({ ...constants({ id: "wacid.1", from: "1", to: "2", event: "connect" }), session });
  const terminate = fc.record(constants({ id: "wacid.1", event: "terminate" }));
  const contact = fc.record({ wa_id: fc.constantFrom("1", "2"), profile: fc.record({ name: fc.string() }) });
  const value = fc.record({
    metadata: fc.record({ phone_number_id: fc.constant("7") }),
    contacts: fc.array(almost(contact), { maxLength: 5 }),
    calls: fc.array(almost(fc.oneof(connect, terminate)), { maxLength: 5 }),
  });
  const change = fc.record({ field: fc.constant("calls"), value: almost(value) });
  const entry = fc.record({ changes: fc.array(almost(change), { maxLength: 3 }) });
  const webhook = fc.record({
    object: fc.constant("whatsapp_business_account"),
    entry: fc.array(entry, { maxLength: 3 }),
  });
  /** Long lists, in a body of up to 1 MiB. */
  const lists = fc.tuple(fc.oneof(connect, fc.constant(0)), fc.oneof(contact, fc.constant(0)), fc.nat(3));
  const large = fc.tuple(lists, fc.nat(2_000), fc.nat(500_000)).map(([[call, each, kind], few, many]) => {
    const change = { field: "calls", value: { metadata: { phone_number_id: "7" }, contacts: [each], calls: [call] } };
    if (kind === 1) change.value.calls = Array(fits(call, many)).fill(call);
    if (kind === 2) change.value.contacts = Array(fits(each, many)).fill(each);
    const changes = kind === 3 ? Array(fits(change, few)).fill(change) : [change];
    return { object: "whatsapp_business_account", entry: [{ changes }] };
  });
  let events = 0;
  let rejected = 0;
  const body = fc.oneof(
    { weight: 30, arbitrary: almost(webhook) },
    { weight: 5, arbitrary: fc.jsonValue() },
    { weight: 1, arbitrary: large },
  );
  await fuzz(body, (each) => {
    try {
      events += parseCallEvents(each).length;
    } catch (error) {
      if (!isRunnerError(error) || error.code !== "BODY_INVALID") throw error;
      rejected++;
    }
  });
  expect(events).toBeGreaterThan(300);
  expect(rejected).toBeGreaterThan(10);
});

/** How many of `wanted` items fit into 1 MiB of JSON. */
function fits(item: unknown, wanted: number): number {
  return Math.min(wanted, Math.floor(1_048_000 / (JSON.stringify(item).length + 1)));
}

function constants<Fields extends Readonly<Record<string, string>>>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fc.constant(value)])) as {
    [Name in keyof Fields]: Arbitrary<string>;
  };
}
