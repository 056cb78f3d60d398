import { expect, test } from "vitest";
import { readStun } from "./stun.ts";

/** A message with these attributes in hex. */
function message(type: string, ...attributes: readonly string[]): Buffer {
  const body = Buffer.from(attributes.join("").replaceAll(" ", ""), "hex");
  const head = Buffer.from(`${type}00002112a442000000000000000000000000`, "hex");
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}

/** USERNAME: `ours:them`, padded. */
const username = "0006 0009 6f7572733a7468656d 000000";
const integrity = `0008 0014 ${"00".repeat(20)}`;
const fingerprint = "8028 0004 00000000";

test.each([
  [
    "a check",
    message("0001", username, integrity, fingerprint),
    { isResponse: false, isError: false, receiver: "ours" },
  ],
  ["a check without a name", message("0001"), { isResponse: false, isError: false, receiver: undefined }],
  ["an indication", message("0011", fingerprint), { isResponse: false, isError: false, receiver: undefined }],
  ["a response", message("0101", integrity), { isResponse: true, isError: false, receiver: undefined }],
  ["an error", message("0111"), { isResponse: true, isError: true, receiver: undefined }],
])("%s is read", (_, data, expected) => {
  expect(readStun(data)).toEqual(expected);
});

test.each([
  ["a header that is cut off", message("0001").subarray(0, 19)],
  ["another cookie", Buffer.concat([Buffer.from("0001000000000000", "hex"), Buffer.alloc(12)])],
  ["bytes after the end", Buffer.concat([message("0001"), Buffer.alloc(4)])],
  ["an attribute past the end", message("0001", "0006 0010 00000000")],
  ["an attribute that is cut off", message("0001", "0006")],
  ["two fingerprints", message("0001", fingerprint, fingerprint)],
  ["two integrities", message("0001", integrity, username, integrity)],
  ["25 attributes", message("0001", ...Array.from({ length: 25 }, () => "77770000"))],
  ["552 bytes", message("0001", `7777 0210 ${"00".repeat(528)}`)],
])("%s is dropped", (_, data) => {
  expect(readStun(data)).toBeUndefined();
});
