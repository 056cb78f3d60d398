import { expect, test } from "vitest";
import { createRedactor } from "./redact.ts";

test("a secret is known from the name of its field, and is replaced wherever it occurs later", () => {
  const { text, url } = createRedactor([], "5f");
  expect(text('{"iceServers": [{"credential": "s3cr3t/word"}]}')).toBe(
    '{"iceServers": [{"credential": "redacted---"}]}',
  );
  expect(text("the word is s3cr3t/word")).toBe("the word is redacted---");
  expect(text('{"again":"s3cr3t\\/word"}')).not.toContain("s3cr3t");
  expect(url("/ws?api_key=abcdefgh&plan=gold")).toBe("/ws?api_key=redacted&plan=gold");
  expect(text("Token=abc-def-ghi&Plan=gold")).toBe("Token=redacted---&Plan=gold");
});

test("the runner's own secrets are replaced, also in URLs and after Bearer", () => {
  const { text, url } = createRedactor(["key+with=signs"], "5f");
  expect(text("x key+with=signs x")).toBe("x redacted------ x");
  expect(url("/?a=key%2Bwith%3Dsigns")).not.toContain("signs");
  expect(text("Authorization: Bearer whatever-it-is")).toBe("Authorization: Bearer redacted");
});

test("a phone number becomes the same fictional number of the same length, with or without a plus", () => {
  const { text } = createRedactor([], "5f");
  const first = text('{"start":{"from":"15551234567","customParameters":{"caller_number":"+15551234567"}}}');
  const [, from, other] = /"from":"(\d+)".*"caller_number":"\+(\d+)"/.exec(first) ?? [];
  expect(from).toMatch(/^1555010\d{4}$/);
  expect(other).toBe(from);
  expect(text("From=%2B15551234567&To=%2B4917012345678")).toBe(`From=%2B${from}&To=%2B1555010000002`);
  expect(text('{"timestamp":"15551234567890","to":"bob"}')).toBe('{"timestamp":"15551234567890","to":"bob"}');
});

test("a token becomes the id of its session, which is kept, and an ICE password is removed", () => {
  const { text, url } = createRedactor([], "5f-session");
  const token = `5f-session.1700000000.${"a".repeat(43)}`;
  expect(text(JSON.stringify({ token }))).toBe('{"token":"5f-session"}');
  expect(url(`/ws/${token}`)).toBe("/ws/5f-session");
  expect(url(`/ws/5f.1700000000.${"a".repeat(43)}?x=1`)).toBe("/ws/5f?x=1");
  expect(url(`/acme/status/5f-session.${"a".repeat(22)}`), "a transport's secret").toBe("/acme/status/5f-session");
  expect(url("/client/5f-session.js")).toBe("/client/5f-session.js");
  expect(text(JSON.stringify({ sdp: "a=ice-ufrag:ab\r\na=ice-pwd:abcdef\r\n" }))).toBe(
    JSON.stringify({ sdp: "a=ice-ufrag:ab\r\na=ice-pwd:redacted\r\n" }),
  );
});

test("bytes keep their length, and those that are not text", () => {
  const { bytes } = createRedactor([], "5f");
  const message = Buffer.concat([Buffer.of(0x22, 0xff, 0x80), Buffer.from('{"token":"abcdefghij"}')]);
  const result = bytes(message);
  expect(result).toHaveLength(message.length);
  expect(result.subarray(0, 3)).toEqual(message.subarray(0, 3));
  expect(result.toString("latin1")).toContain('{"token":"redacted--"}');
});

test("a text with more numbers than are kept is replaced as a whole", () => {
  const { text } = createRedactor([], "5f");
  const numbers = Array.from({ length: 60 }, (_, index) => `+4917012345${String(index).padStart(3, "0")}`);
  expect(text(JSON.stringify({ numbers }))).toBe('"redacted"');
});

test("all of an object with a secret's name is secret", () => {
  const { text } = createRedactor([], "5f");
  expect(text('{"apiKeys":{"openai":"sk-12345678"},"credentials":[{"value":"abcdefgh"}]}')).toBe(
    '{"apiKeys":{"openai":"redacted---"},"credentials":[{"value":"redacted"}]}',
  );
});

test("a text with a secret of more than 4,096 characters is replaced as a whole, and later texts are not", () => {
  const { text } = createRedactor([], "5f");
  expect(text(JSON.stringify({ token: "x".repeat(5_000) }))).toBe('"redacted"');
  expect(text('{"hello":"world"}')).toBe('{"hello":"world"}');
});

test.each([
  ["half of a character as a secret", '{"token":"aaaaaa\\ud800"}'],
  ["a number without digits", '{"from":"-------"}'],
  ["a number of one digit", '{"from":"1 - - - -"}'],
])("%s does not change other texts", (_what, odd) => {
  const { text } = createRedactor([], "5f");
  text(odd);
  expect(text('{"x":1,"y":"two"}')).toBe('{"x":1,"y":"two"}');
});
