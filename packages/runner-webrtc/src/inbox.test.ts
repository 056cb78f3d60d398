import { expect, test } from "vitest";
import { createInbox } from "./inbox.ts";

test("malformed messages are protocol errors, and the others arrive", () => {
  const inbox = createInbox();
  const texts = [
    "{",
    "null",
    '{"type":"signalling"}',
    '{"type":"signalling","message":{"type":"peerLeft"}}',
    '{"a":1}',
  ];
  expect(texts.map((text) => inbox.receive(text))).toEqual([undefined, undefined, undefined, "peerLeft", undefined]);
  expect(inbox.messages).toEqual([null, { a: 1 }]);
  expect(inbox.signals).toEqual([undefined, { type: "peerLeft" }]);
  expect(inbox.protocolErrors).toEqual([expect.stringMatching(/^malformed message: .*JSON/)]);
});
