import { encodePcm16 } from "@pipecat-ts/audio";
import { describe, expect, test } from "vitest";
import { createCodec, ids, recognizeCall } from "./codec.ts";

const uuid = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const connected = { event: "websocket:connected", "content-type": "audio/l16;rate=16000", uuid };
const codec = createCodec(connected);

describe("the first message", () => {
  test("has the call's id, and the headers of an NCCO as body", () => {
    expect(recognizeCall(connected)).toEqual({ callId: uuid, streamId: uuid });
    expect(recognizeCall({ ...connected, from: "15550100", to: "15550199", order: "7", age: 40 })).toEqual({
      callId: uuid,
      streamId: uuid,
      from: "15550100",
      to: "15550199",
      body: { from: "15550100", to: "15550199", order: "7" },
    });
  });

  test("may lack the id, for which no call is answered on a bare socket", () => {
    const call = recognizeCall({ ...connected, uuid: undefined });
    expect(call).toEqual({ callId: "", streamId: "" });
    expect(ids.call.test("")).toBe(false);
  });

  test.each([{}, { event: "connected" }, { event: "start", uuid }, { event: "websocket:dtmf", digit: "5" }])(
    "is not %j",
    (message) => {
      expect(recognizeCall(message)).toBe(undefined);
    },
  );
});

test.each([uuid, "0779a56d002f1c7f47f82ef5fe84ab79"])("%s is an id of Vonage", (id) => {
  expect(ids.call.test(id)).toBe(true);
});

test.each(["..", "a/b", `${uuid}0`, "CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab"])("%s is not an id of Vonage", (id) => {
  expect(ids.call.test(id)).toBe(false);
});

describe("the format", () => {
  test.each([8_000, 16_000, 24_000])("is 16-bit PCM at %i Hz, in messages of 20 ms", (sampleRate) => {
    const made = createCodec({ ...connected, "content-type": `audio/l16;rate=${sampleRate}` });
    expect(made).toMatchObject({ callerSampleRate: sampleRate, botSampleRate: sampleRate, frameMs: 20 });
  });

  test.each(["audio/l16;rate=44100", "audio/l16", "audio/x-mulaw;rate=8000", undefined, 7])(
    "rejects %j with a fix",
    (type) => {
      expect(() => createCodec({ ...connected, "content-type": type })).toThrow(
        expect.objectContaining({ code: "MEDIA_FORMAT_UNSUPPORTED", fix: expect.stringContaining("content-type") }),
      );
    },
  );
});

test("reads little-endian audio from binary messages, and joins samples that are cut", () => {
  const made = createCodec(connected);
  const piece = (hex: string) => made.decodeBinary?.(Buffer.from(hex, "hex"));
  expect(piece("010002")).toEqual({ kind: "audio", samples: Int16Array.from([1]) });
  expect(piece("ff0300")).toMatchObject({ samples: Int16Array.from([-254, 3]) });
});

test("decodes keys and marks, and returns undefined for the rest", () => {
  const dtmf = { event: "websocket:dtmf", digit: "5", duration: 260 };
  expect(codec.decode(dtmf)).toEqual({ kind: "dtmf", digit: "5" });
  expect(codec.decode({ event: "websocket:notify", payload: { mark: "7" } })).toEqual({ kind: "played", mark: "7" });
  expect(codec.decode({ event: "websocket:cleared" })).toEqual({ kind: "nothing" });
  for (const message of [{}, connected, { event: "websocket:notify" }, { event: "websocket:dtmf", digit: "E" }])
    expect(codec.decode(message)).toBe(undefined);
});

test("sends audio as bytes, and commands as JSON", () => {
  const samples = Int16Array.from([1, -2]);
  expect(codec.encodeAudio(samples)).toEqual(encodePcm16(samples));
  expect(JSON.parse(codec.encodeMark?.("7") ?? "")).toEqual({ action: "notify", payload: { mark: "7" } });
  expect(JSON.parse(codec.encodeClear())).toEqual({ action: "clear" });
});
