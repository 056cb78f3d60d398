import { sign as signEd25519 } from "node:crypto";
import {
  isRunnerError,
  type OptionTable,
  type RouteContext,
  type RunnerContext,
  type RunnerSettings,
  resolveOptions,
  type Session,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import exotel from "@pipecat-ts/runner-telephony-exotel/plugin";
import plivo from "@pipecat-ts/runner-telephony-plivo/plugin";
import { createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/caller";
import telnyx from "@pipecat-ts/runner-telephony-telnyx/plugin";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import vonage from "@pipecat-ts/runner-telephony-vonage/plugin";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { sign as signPlivo } from "../../packages/runner-telephony-plivo/src/signature.ts";
import { sign as signTwilio } from "../../packages/runner-telephony-twilio/src/signature.ts";
import { sign as signVonage } from "../../packages/runner-telephony-vonage/src/signature.ts";
import { fuzz } from "./fuzz.ts";

const publicUrl = new URL("https://voice.example.com");
const telnyxAccount = createTelnyxAccount("a key");

interface Webhooks {
  readonly name: string;
  readonly plugin: TransportPlugin;
  readonly given: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
  sign(method: string, url: string, body: string): Readonly<Record<string, string>>;
}

const carriers: readonly Webhooks[] = [
  {
    name: "Twilio",
    plugin: twilio as TransportPlugin,
    given: { authToken: "a token" },
    fields: { CallSid: `CA${"1".repeat(32)}`, From: "+15550100", To: "+15550199", Direction: "inbound" },
    sign: (_, url, body) => ({ "x-twilio-signature": signTwilio(url, new URLSearchParams(body), "a token") }),
  },
  {
    name: "Telnyx",
    plugin: telnyx as TransportPlugin,
    given: { publicKey: telnyxAccount.publicKey },
    fields: { CallSid: `v3:${"a".repeat(54)}`, From: "+15550100", To: "+15550199", ConnectionId: "7" },
    sign(_method, _url, body) {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const signature = signEd25519(null, Buffer.from(`${timestamp}|${body}`), telnyxAccount.privateKey);
      return { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature.toString("base64") };
    },
  },
  {
    name: "Plivo",
    plugin: plivo as TransportPlugin,
    given: { authId: "MA1", authToken: "a token" },
    fields: {
      CallUUID: "97ceeb52-58b6-11e1-86da-77300b68f8bb",
      From: "+15550100",
      To: "+15550199",
      Event: "StartApp",
    },
    sign: (method, url, body) => ({
      "x-plivo-signature-v3": signPlivo(method, url, new URLSearchParams(body), "n", "a token"),
      "x-plivo-signature-v3-nonce": "n",
    }),
  },
  {
    name: "Exotel",
    plugin: exotel as TransportPlugin,
    given: { apiKey: "a key", apiToken: "a token" },
    fields: { CallSid: "c1", CallFrom: "15550100", CallTo: "15550199", Direction: "incoming" },
    sign: () => ({ authorization: `Basic ${Buffer.from("a key:a token").toString("base64")}` }),
  },
  {
    name: "Vonage",
    plugin: vonage as TransportPlugin,
    given: { signatureSecret: "a secret" },
    fields: { uuid: "97ceeb52-58b6-11e1-86da-77300b68f8bb", from: "15550100", to: "15550199" },
    sign: (_method, _url, body) => signVonage(body, "a secret"),
  },
];

/** A form of up to 64 KiB, most of them the carrier's with a few changed, repeated or further fields. */
function formOf(fields: Readonly<Record<string, string>>): Arbitrary<string> {
  const names = [...Object.keys(fields), "body", "transferTo", "Event", "SipHeader_X-Name", "__proto__", "a[b]"];
  const values = fc.oneof(fc.string(), fc.constantFrom("Hangup", "+15550123", "e30", "..", "x".repeat(600)));
  const further = fc.array(fc.tuple(fc.constantFrom(...names), values), { maxLength: 4 });
  const real = further.map((more) => new URLSearchParams([...Object.entries(fields), ...more]).toString());
  const long = fc.tuple(fc.constantFrom("a=1&", "&", "=", "%41", "%", "a%00=+&", "ä=ü&"), fc.nat(60_000));
  const many = fc.nat(9_000).map((count) => Array.from({ length: count }, (_, n) => `a${n}=`).join("&"));
  return fc.oneof(
    { weight: 12, arbitrary: real },
    { weight: 3, arbitrary: fc.string({ maxLength: 300 }) },
    { weight: 1, arbitrary: long.map(([unit, length]) => unit.repeat(length / Buffer.byteLength(unit))) },
    { weight: 1, arbitrary: many },
  );
}

test.each(carriers)("webhook requests of any content to $name's route are answered or rejected", async (carrier) => {
  const { plugin, given, fields, sign } = carrier;
  const runner = fakeRunner();
  const options = resolveOptions((plugin.options ?? {}) as OptionTable<unknown>, { given, env: {} });
  const { routes = [] } = await plugin.open(runner.context, options);
  const [route] = routes;
  if (!route) throw new Error("the plugin has no webhook");
  const request = fc
    .record({
      method: fc.constantFrom("GET", "POST"),
      query: fc.oneof(fc.constant(""), fc.constant("body=eyJhIjoxfQ"), formOf(fields)),
      body: formOf(fields),
      type: fc.constantFrom(...Array(6).fill("application/x-www-form-urlencoded"), "application/json", "text/plain"),
      signature: fc.constantFrom("valid", "valid", "valid", "other", "none"),
    })
    .map(({ method, query, body, type, signature }) => {
      const path = `/${plugin.name}${query === "" ? "" : `?${query.slice(0, 15_000)}`}`;
      const url = `${publicUrl.origin}${path}`;
      const rawBody = method === "GET" ? "" : body;
      const isForm = type === "application/x-www-form-urlencoded";
      // Twilio's algorithm takes long for many fields. The runner rejects them before it checks the signature.
      const hasFew = rawBody.split("&", 300).length < 300;
      const signed = signature === "none" ? {} : sign(method, url, isForm && hasFew ? rawBody : "");
      const headers = { "content-type": type, ...(signature === "other" ? invalid(signed) : signed) };
      const ctx = {
        method,
        query: Object.fromEntries(new URL(url).searchParams),
        req: { method, url: path, headers },
        request: { rawBody, body: bodyOf(rawBody, type) },
      };
      return { ctx: ctx as unknown as RouteContext, signature, rawBody };
    });
  let answered = 0;
  let rejected = 0;
  await fuzz(request, async ({ ctx, signature, rawBody }) => {
    const sessions = runner.created.length;
    try {
      await route.handle(ctx, async () => undefined);
      answered++;
      expect(signature).toBe("valid");
      // Nothing in the query of a request whose body alone is signed reaches the bot.
      if (/telnyx|vonage/.test(plugin.name) && !/body/i.test(rawBody)) expect(runner.created[sessions]).toBe(undefined);
    } catch (error) {
      if (!isRunnerError(error) || error.status >= 500) throw error;
      expect(runner.created).toHaveLength(sessions);
      rejected++;
    }
    runner.created.length = 0;
  });
  expect(Math.min(answered, rejected)).toBeGreaterThan(200);
});

/** Parses a body as the host does. */
function bodyOf(rawBody: string, type: string): unknown {
  if (type === "text/plain") return rawBody;
  if (type === "application/x-www-form-urlencoded") return Object.fromEntries(new URLSearchParams(rawBody));
  return { CallSid: "c1", body: "e30", raw: rawBody };
}

/** The same headers with other values. */
function invalid(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `${value.slice(0, -8)}AAAAAAA=`]));
}

/** A runner without a server. `created` has the body of each session. */
function fakeRunner() {
  const created: unknown[] = [];
  const settings: Partial<RunnerSettings> = { publicUrl, requireAuth: true, trustProxy: false };
  const context: Partial<RunnerContext> = {
    settings: settings as RunnerSettings,
    logger: createRecordingLogger(),
    createSession({ body } = {}) {
      created.push(body);
      return { id: "s1", alias: () => undefined } as Partial<Session> as Session;
    },
    findSession: () => undefined,
    socketUrl: () => new URL("wss://voice.example.com/ws/s1"),
    url: (path) => new URL(path, publicUrl),
    countRejection: () => undefined,
    shared: (_, create) => create(),
  };
  return { context: context as RunnerContext, created };
}
