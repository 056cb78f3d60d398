import fc from "fast-check";
import { expect, test } from "vitest";
import { clientMessages } from "../../packages/rtvi/src/client-messages.ts";
import { evalContext } from "../../packages/rtvi/src/evals.ts";
import { answerHandshake, createRTVI } from "../../packages/rtvi/src/index.ts";
import { createFakeTransport } from "../../packages/rtvi/src/test/fake-transport.ts";
import { fuzz } from "./fuzz.ts";

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: "binary", maxLength: 1_100 }));
const orJunk = (valid: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 8, arbitrary: valid }, fc.jsonValue({ maxDepth: 3 }));
const fields = (model: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(Object.fromEntries(Object.entries(model).map(([name, value]) => [name, orJunk(value)])), {
    requiredKeys: [],
  });

const { node } = fc.letrec((tie) => ({
  node: fields({
    ref: text,
    role: text,
    name: text,
    state: fc.array(text, { maxLength: 3 }),
    level: fc.integer({ min: -2, max: 7 }),
    children: fc.array(tie("node"), { maxLength: 4 }),
  }),
}));
const base64 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const audio = fields({
  base64Audio: base64,
  base64AudioBatch: fc.array(base64, { maxLength: 4 }),
  sampleRate: fc.integer({ min: 0, max: 200_000 }),
  numChannels: fc.integer({ min: 0, max: 9 }),
});
const key = fc.constantFrom(..."0123456789*#A");

/** The data of each type of message, mostly with the right fields. */
const dataOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "client-ready": fields({
    version: fc.constantFrom("2.2.0", "2.1.0", "1.0.0", "x"),
    about: fields({ library: text }),
  }),
  "client-message": fields({
    t: fc.oneof(text, fc.constantFrom("eval-context", "eval-configure")),
    d: fc.oneof(
      fc.jsonValue(),
      fields({ messages: fc.array(fields({ role: text, content: text }), { maxLength: 3 }) }),
      fields({
        llm_markers: fc.boolean(),
        function_call_report_level: fc.dictionary(text, fc.constantFrom("full", "none")),
      }),
    ),
  }),
  "send-text": fields({ content: text, options: fields({ run_immediately: fc.boolean() }) }),
  "send-file": fields({
    content: text,
    file: fields({
      format: text,
      name: text,
      source: fields({ type: fc.constantFrom("url", "bytes"), url: text, bytes: base64, width: fc.integer() }),
    }),
    options: fields({
      audio_response: fc.boolean(),
      custom_options: fc.dictionary(text, fc.jsonValue({ maxDepth: 1 })),
    }),
  }),
  dtmf: fields({ buttons: fc.array(key, { maxLength: 120 }), button: key }),
  "llm-function-call-result": fields({
    function_name: text,
    tool_call_id: text,
    arguments: fc.dictionary(text, fc.jsonValue({ maxDepth: 1 })),
    result: fc.oneof(text, fc.dictionary(text, fc.jsonValue({ maxDepth: 1 }))),
  }),
  "ui-event": fields({ event: text, payload: fc.jsonValue() }),
  "ui-snapshot": fields({ tree: fields({ root: node, captured_at: fc.double({ noNaN: true }) }) }),
  "ui-cancel-job-group": fields({ job_id: text, reason: text }),
  "raw-audio": audio,
  "raw-audio-batch": audio,
  "disconnect-bot": fields({}),
};

const message = fc.oneof(
  ...Object.entries(dataOf).map(([type, data]) =>
    fc.record({
      label: fc.constant("rtvi-ai"),
      type: fc.oneof({ weight: 20, arbitrary: fc.constant(type) }, text),
      id: fc.oneof({ weight: 20, arbitrary: text }, fc.jsonValue({ maxDepth: 1 })),
      data: orJunk(data),
    }),
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

test("the arbitraries have all types of messages", () => {
  expect(Object.keys(dataOf).sort()).toEqual(["client-ready", ...clientMessages.keys()].sort());
});

test("messages of any content become events or are answered, whether or not the bot listens", async () => {
  const events = new Map<string, number>();
  let answers = 0;
  const listened = [...new Set([...clientMessages.values(), evalContext].map(({ event }) => event))];
  await fuzz(fc.tuple(fc.array(message, { maxLength: 5 }), fc.boolean()), ([messages, late]) => {
    const transport = createFakeTransport();
    answerHandshake(transport);
    const rtvi = createRTVI(transport, { evals: true });
    const listen = () => {
      for (const event of listened) rtvi.on(event, () => void events.set(event, (events.get(event) ?? 0) + 1));
    };
    if (!late) listen();
    for (const each of messages) transport.emit("appMessage", each);
    if (late) listen();
    expect(transport.failures).toEqual([]);
    answers += transport.sent.length;
    // An answer never repeats more than an id, a type and a field's name. `user-input` repeats a text.
    for (const each of transport.sent) expect(JSON.stringify(each).length).toBeLessThan(8_000);
  });
  expect(Object.fromEntries(events)).toEqual(Object.fromEntries(listened.map((event) => [event, expect.any(Number)])));
  expect(answers).toBeGreaterThan(500);
});
