import {
  type CallerSocket,
  isRunnerError,
  type OptionTable,
  type Pacer,
  type RunnerContext,
  resolveOptions,
} from "@pipecat-ts/runner-core";
import { type CallCodec, type Carrier, type CarrierOptions, parseObject } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { awaitStart, type RoutedCarrier } from "../../packages/runner-telephony/src/call-router.ts";
import { createReorderBuffer } from "../../packages/runner-telephony/src/reorder-buffer.ts";
import * as exotel from "../../packages/runner-telephony-exotel/src/codec.ts";
import { options as exotelOptions } from "../../packages/runner-telephony-exotel/src/options.ts";
import * as plivo from "../../packages/runner-telephony-plivo/src/codec.ts";
import { options as plivoOptions } from "../../packages/runner-telephony-plivo/src/options.ts";
import * as telnyx from "../../packages/runner-telephony-telnyx/src/codec.ts";
import { options as telnyxOptions } from "../../packages/runner-telephony-telnyx/src/options.ts";
import * as twilio from "../../packages/runner-telephony-twilio/src/codec.ts";
import { options as twilioOptions } from "../../packages/runner-telephony-twilio/src/options.ts";
import * as vonage from "../../packages/runner-telephony-vonage/src/codec.ts";
import { options as vonageOptions } from "../../packages/runner-telephony-vonage/src/options.ts";
import { fuzz } from "./fuzz.ts";
import { almost } from "./objects.ts";

interface Messages {
  readonly name: string;
  readonly wire: Pick<Carrier["wire"], "earlyEvents" | "recognizeCall" | "createCodec"> & Pick<Carrier, "ids">;
  readonly options: OptionTable<never>;
  readonly start: object;
  readonly others: readonly object[];
}

const payload = Buffer.alloc(160, 0xff).toString("base64");
const hex = "0123456789abcdef0123456789abcdef";
const uuid = "97ceeb52-58b6-11e1-86da-77300b68f8bb";

const carriers: readonly Messages[] = [
  {
    name: "Twilio",
    wire: twilio,
    options: twilioOptions as never,
    start: {
      event: "start",
      start: {
        accountSid: `AC${hex}`,
        streamSid: `MZ${hex}`,
        callSid: `CA${hex}`,
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
        customParameters: { from_number: "+15550100", order: "7" },
      },
    },
    others: [
      { event: "connected", protocol: "Call", version: "1.0.0" },
      { event: "media", media: { track: "inbound", chunk: "2", timestamp: "40", payload } },
      { event: "dtmf", dtmf: { track: "inbound_track", digit: "5" } },
      { event: "mark", mark: { name: "1" } },
      { event: "stop", stop: { callSid: `CA${hex}` } },
    ],
  },
  {
    name: "Telnyx",
    wire: telnyx as never,
    options: telnyxOptions as never,
    start: {
      event: "start",
      stream_id: uuid,
      start: {
        call_control_id: `v3:${hex}`,
        client_state: "e30=",
        from: "+15550100",
        custom_parameters: { order: "7" },
        media_format: { encoding: "PCMU", sample_rate: 8_000, channels: 1 },
      },
    },
    others: [
      { event: "media", stream_id: uuid, media: { track: "inbound", chunk: "2", timestamp: "40", payload } },
      { event: "dtmf", stream_id: uuid, dtmf: { digit: "5" } },
      { event: "mark", stream_id: uuid, mark: { name: "1" } },
      { event: "error", stream_id: uuid, payload: { code: 100_002, title: "malformed_frame" } },
      { event: "error", error: { code: "100005", title: "rate_limit_reached" } },
      { event: "stop", stream_id: uuid, stop: { call_control_id: `v3:${hex}` } },
    ],
  },
  {
    name: "Plivo",
    wire: plivo,
    options: plivoOptions as never,
    start: {
      event: "start",
      sequenceNumber: 1,
      start: {
        callId: uuid,
        streamId: uuid,
        accountId: "1",
        mediaFormat: { encoding: "audio/x-l16", sampleRate: 8_000 },
      },
      extra_headers: "from=15550100;order=7",
    },
    others: [
      { event: "media", streamId: uuid, media: { track: "inbound", chunk: 2, timestamp: "1760000000040", payload } },
      { event: "dtmf", streamId: uuid, dtmf: { track: "inbound", digit: "5" } },
      { event: "playedStream", streamId: uuid, name: "1" },
      { event: "clearedAudio", streamId: uuid },
    ],
  },
  {
    name: "Exotel",
    wire: exotel,
    options: exotelOptions as never,
    start: {
      event: "start",
      stream_sid: hex,
      start: {
        stream_sid: hex,
        call_sid: hex,
        account_sid: "account-1",
        from: "+15550100",
        custom_parameters: { order: "7" },
        media_format: { encoding: "base64", sample_rate: "8000", bit_rate: "128kbps" },
      },
    },
    others: [
      { event: "media", stream_sid: hex, media: { chunk: "2", timestamp: "100", payload } },
      { event: "dtmf", stream_sid: hex, dtmf: { digit: "5", duration: "100" } },
      { event: "mark", stream_sid: hex, mark: { name: "1" } },
      { event: "clear", stream_sid: hex },
    ],
  },
  {
    name: "Vonage",
    wire: vonage,
    options: vonageOptions as never,
    start: { event: "websocket:connected", "content-type": "audio/l16;rate=8000", uuid, order: "7" },
    others: [
      { event: "websocket:dtmf", digit: "5", duration: 260 },
      { event: "websocket:notify", payload: { mark: "1" } },
      { event: "websocket:cleared" },
    ],
  },
];

/** The largest message that a carrier's socket accepts, in characters. */
const maxLength = 65_536;

/** A text of up to 64 KiB: deep, wide or long. */
const large: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(
      ["[", "[", ""],
      ["", '{"start":', ""],
      ['{"event":"media","media":{"payload":"', "A", '"}}'],
      ['{"event":"media","media":{"payload":"', "=", '"}}'],
      ['{"event":"media","media":{"payload":"', "\\u0000", '"}}'],
      ['{"event":"media","media":{"payload":"AAAA","timestamp":"', "9", '"}}'],
      ['{"event":"dtmf","dtmf":{"digit":"', "5", '"}}'],
      ['{"event":"start","start":{"customParameters":{"a":"', "b", '"}}}'],
      ['{"event":"start","start":{"callId":"1","streamId":"2"},"extra_headers":"', "a=b;", '"}'],
      ['{"event":"start","start":[', "0,", "0]}"],
    ),
    fc.nat(maxLength - 200),
  )
  .map(([[head = "", unit = "", tail = ""], length]) => `${head}${unit.repeat(length / unit.length)}${tail}`);

/** Custom parameters, many of them, in 64 KiB. */
const wide = fc.nat(4_000).map((count) => {
  const parameters = Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, "x"]));
  const start = { streamSid: "S1", callSid: "C1", stream_sid: "S1", call_sid: "C1", account_sid: "A1" };
  return JSON.stringify({
    event: "start",
    stream_id: "S1",
    start: { ...start, call_control_id: "C1", customParameters: parameters, custom_parameters: parameters },
  });
});

test.each(carriers)("messages of any content on $name's socket are decoded or skipped", async (carrier) => {
  const { wire, start, others } = carrier;
  const options = resolveOptions(carrier.options, { env: {} }) as CarrierOptions;
  const call = wire.recognizeCall(start as never);
  if (!call) throw new Error("the start message is not recognized");
  const codec: CallCodec = wire.createCodec(start as never, call, options);
  const unsupported = JSON.stringify(start).replace(/(sample_?rate":"?)8000/i, "$144100");
  const sample = fc.constantFrom(start, JSON.parse(unsupported), ...others);
  const text = fc.oneof(
    { weight: 12, arbitrary: almost(sample).map((message) => JSON.stringify(message) ?? "") },
    { weight: 2, arbitrary: fc.string({ maxLength: 300 }) },
    { weight: 2, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: large },
    { weight: 1, arbitrary: wide },
  );
  const counts = { calls: 0, unsupported: 0, events: 0, skipped: 0, samples: 0, received: 0 };
  const buffer = createReorderBuffer({
    pacer: fakePacer(),
    sampleRate: codec.callerSampleRate,
    output: ({ samples }) => {
      counts.samples += samples.length;
    },
  });
  await fuzz(text, (each) => {
    const message = parseObject(each);
    const found = message && wire.recognizeCall(message);
    if (message && found) {
      counts.calls++;
      expect(JSON.stringify(found).length).toBeLessThanOrEqual(maxLength);
      expect(Object.keys((found.body as object | undefined) ?? {}).length).toBeLessThanOrEqual(256);
      try {
        wire.createCodec(message, found, options);
      } catch (error) {
        if (!isRunnerError(error) || error.code !== "MEDIA_FORMAT_UNSUPPORTED") throw error;
        counts.unsupported++;
      }
    }
    const event = message && codec.decode(message);
    if (!event) counts.skipped++;
    else counts.events++;
    if (event?.kind !== "audio") return;
    counts.received += event.samples.length;
    buffer.push(event);
  });
  buffer.end();
  for (const count of [counts.calls, counts.unsupported, counts.events, counts.skipped]) {
    expect(count, JSON.stringify(counts)).toBeGreaterThan(20);
  }
  // Silence in gaps of the timestamps is limited to the time that has passed.
  expect(counts.samples).toBeLessThanOrEqual(counts.received + codec.callerSampleRate);
});

/** Vonage sends nothing before its first message. */
const sendingEarly = carriers.filter(({ wire }) => wire.earlyEvents.length > 0);

test.each(sendingEarly)("calls of $name start after any early messages, which follow in order", async (carrier) => {
  const { wire, start, others } = carrier;
  const isEarly = ({ event }: { readonly event?: unknown }) => wire.earlyEvents.some((each) => each === event);
  const early = others.filter(isEarly);
  expect(early.map(({ event }: { readonly event?: unknown }) => event)).toContain("media");
  const unknown = fc.constantFrom("junk", "[]", "{}", '{"event":"other"}', '{"event":["media"]}', '{"event":"start"}');
  const message = fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...early.map((each) => JSON.stringify(each))) },
    { weight: 1, arbitrary: unknown },
  );
  const counts = { started: 0, rejected: 0 };
  await fuzz(fc.array(message, { maxLength: 80, size: "large" }), (messages) => {
    const delivered: string[] = [];
    let rejectedWith: string | undefined;
    const routed: Partial<RoutedCarrier> = {
      ...wire,
      runner: { logger: createRecordingLogger() } as Partial<RunnerContext> as RunnerContext,
      acceptsAnyIds: () => false,
      answer: () => ({ message: (data) => void delivered.push(String(data)) }),
    };
    const socket = {
      isOpen: true,
      reject(error: unknown) {
        socket.isOpen = false;
        rejectedWith = isRunnerError(error) ? error.code : String(error);
      },
    };
    const handlers = awaitStart(
      [routed as RoutedCarrier],
      socket as Partial<CallerSocket> as CallerSocket,
      {} as never,
    );
    for (const each of [...messages, JSON.stringify(start)]) handlers.message(Buffer.from(each), false);
    handlers.closed?.(1000);
    const known = messages.filter((each) => isEarly(parseObject(each) ?? {}));
    const isRejected = messages.length - known.length >= 5;
    counts[isRejected ? "rejected" : "started"]++;
    const expected = isRejected ? ["START_MESSAGE_MISSING"] : known.slice(-50);
    const actual = rejectedWith === undefined ? delivered : [rejectedWith, ...delivered];
    expect(actual).toEqual(expected);
  });
  expect(Math.min(counts.started, counts.rejected)).toBeGreaterThan(20);
});

/** A pacer whose time stands still. */
function fakePacer(): Pacer {
  const clock: Partial<Pacer["clock"]> = { now: () => 0 };
  return { clock: clock as Pacer["clock"], every: () => () => undefined };
}
