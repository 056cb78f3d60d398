import { describe, expect, test } from "vitest";
import { createRedactor } from "./redact.ts";

const fictional = /^\+15/;

describe("secrets", () => {
  test.each([
    ['{"iceServers": [{"credential": "s3cr3t/word"}]}', '{"iceServers": [{"credential": "redacted---"}]}'],
    ['{"password":"abcde","pwd":"a","token":""}', '{"password":"redac","pwd":"r","token":""}'],
    [
      '{"private_key":"-----BEGIN\\nKEY","privateKey":"k-1","passphrase":"open up","jwt":"eyJh","bearer":"b-1"}',
      '{"private_key":"redacted-------","privateKey":"red","passphrase":"redacte","jwt":"reda","bearer":"red"}',
    ],
    ['{"pass\\u0077ord":"a\\"b","x":1}', '{"pass\\u0077ord":"reda","x":1}'],
    ["Token=abc-def-ghi&Plan=gold", "Token=redacted---&Plan=gold"],
    ["token=abc%22d&x=1", "token=redacte&x=1"],
    ['data: {"password":"hunter2"}\n', 'data: {"password":"redacte"}\n'],
    ['{"url":"wss://x/y?api_key=abc&plan=gold"}', '{"url":"wss://x/y?api_key=red&plan=gold"}'],
    ["/a?to=https%3A%2F%2Fx%3Ftoken%3Dabcd", "/a?to=https%3A%2F%2Fx%3Ftoken%3Dreda"],
    [
      '<Parameter name="body" value="{&quot;password&quot;:&quot;hunter2&quot;}"/><Stream url="wss://x?token=abc&amp;a=b"/>',
      '<Parameter name="body" value="{&quot;password&quot;:&quot;redacte&quot;}"/><Stream url="wss://x?token=red&amp;a=b"/>',
    ],
    ['<Parameter name="password" value="hunter2"/>', '<Parameter name="password" value="redacte"/>'],
    ["Authorization: Bearer whatever-it-is", "Authorization: Bearer redacted------"],
    [
      '{"apiKeys":{"openai":"sk-12345678"},"credentials":[{"value":"abcdefgh"}]}',
      '{"apiKeys":{"openai":"redacted---"},"credentials":[{"value":"redacted"}]}',
    ],
    ['{"tokens":["abc"],"a":{"tokens":{"bot":"abc"}}}', '{"tokens":["red"],"a":{"tokens":{"bot":"red"}}}'],
  ])("the value of a field with a secret's name is replaced in %s", (text, expected) => {
    expect(createRedactor([], "5f").text(text)).toBe(expected);
  });

  test.each([1, 2, 3])("%i levels of JSON in JSON are searched, and stay valid", (levels) => {
    let value: unknown = { password: 'hunter2 "quoted" \\ \n', phone: "(415) 555-0199" };
    for (let level = 0; level < levels; level++) value = { body: JSON.stringify(value), other: "+4917012345678" };
    const text = JSON.stringify(value);
    const result = createRedactor([], "5f").text(text);
    expect(result).toHaveLength(text.length);
    expect(result).not.toMatch(/hunter2|quoted|555-0199|4917012345678/);
    let parsed = JSON.parse(result);
    for (let level = 0; level < levels; level++) parsed = JSON.parse(parsed.body);
    expect(Object.keys(parsed)).toEqual(["password", "phone"]);
    expect(parsed.phone).toMatch(/^\(\d{3}\) \d{3}-\d{4}$/);
  });

  test("a form in JSON and JSON in a form are searched", () => {
    const { text } = createRedactor([], "5f");
    const form = `Body=${encodeURIComponent('{"password":"hunter2"}')}&From=%2B4917012345678&Note=call+%2B49+170+12345678`;
    const result = text(JSON.stringify({ form }));
    expect(result).not.toMatch(/hunter2|17012345678|170\+12345678/);
    const { form: redacted } = JSON.parse(result);
    const fields = new URLSearchParams(redacted);
    expect(JSON.parse(fields.get("Body") ?? "")).toEqual({ password: "redacte" });
    expect(fields.get("From")?.slice(1)).toBe(fields.get("Note")?.replace(/\D/g, ""));
  });

  test("a number stays a number, and counts of tokens and words that are not secret stay", () => {
    const { text } = createRedactor([], "5f");
    expect(text('{"secret":12345678901234,"token":-1.5e3}')).toBe('{"secret":11111111111111,"token":-1.1e1}');
    for (const same of [
      '{"type":"metrics","data":{"tokens":[{"processor":"LLM#0","prompt_tokens":123456,"total_tokens":1234567}]}}',
      '{"token_type":"bearer","max_tokens":1024,"token_count":12,"tokenizer":"x"}',
      '{"text":"LLM#0 has 123456 of 1234567"}',
    ])
      expect(text(same)).toBe(same);
    expect(text('{"token":"client-message"}')).toBe('{"token":"redacted------"}');
    expect(text('{"type":"client-message"}')).toBe('{"type":"client-message"}');
  });

  test("the runner's own secrets are replaced wherever they occur, however they are escaped", () => {
    const { text, url, bytes } = createRedactor(["key+with=signs/ü", "12345678901234567890"], "5f");
    expect(text("x key+with=signs/ü x")).toBe("x redacted-------- x");
    expect(url("/?a=key%2Bwith%3Dsigns%2F%C3%BC&b=1")).toBe(`/?a=${"redacted".padEnd(27, "-")}&b=1`);
    for (const escaped of ['"key+with=signs\\/ü"', '"key+with=signs\\u002f\\u00fc"'])
      expect(text(`{"a":${escaped}}`)).toBe(`{"a":"${"redacted".padEnd(escaped.length - 2, "-")}"}`);
    expect(bytes(Buffer.from('{"a":"key+with=signs/ü"}')).toString()).toBe('{"a":"redacted---------"}');
    expect(createRedactor(["the-api-key"], "5f").text('"\\the-api-key"'), "not JSON").not.toContain("the-api-key");
    expect(text('{"a":12345678901234567890}')).toBe('{"a":11111111111111111111}');
  });

  test("a secret in a URL is replaced there and later", () => {
    const { text, url } = createRedactor([], "5f");
    expect(url("/ws?resume=abc-def-ghi&x=1", ["abc-def-ghi"])).toBe("/ws?resume=redacted---&x=1");
    expect(text('{"again":"abc-def-ghi"}')).toBe('{"again":"redacted---"}');
    expect(url("/ws?resume=ab&x=1", ["ab"])).toBe("/ws?resume=re&x=1");
  });

  test("a call with too many secrets in URLs is reported", () => {
    const redactor = createRedactor([], "5f");
    for (let count = 0; count < 100; count++) redactor.url("/", [`secret-${count}`]);
    expect(redactor.isFull).toBe(true);
  });

  test("a token becomes the id of its session, which is kept, and an ICE password is removed", () => {
    const { text, url, bytes } = createRedactor([], "5f-session");
    const token = `5f-session.1700000000.${"a".repeat(43)}`;
    expect(text(JSON.stringify({ token }))).toBe('{"token":"5f-session"}');
    expect(url(`/ws/${token}`)).toBe("/ws/5f-session");
    expect(url(`/ws/5f.1700000000.${"a".repeat(43)}?x=1`)).toBe("/ws/5f?x=1");
    expect(url(`/acme/status/5f-session.${"a".repeat(22)}`), "a transport's secret").toBe("/acme/status/5f-session");
    expect(url("/client/5f-session.js")).toBe("/client/5f-session.js");
    expect(bytes(Buffer.from(`{"url":"/ws/${token}"}`)).toString()).not.toContain("aaa");
    expect(text(JSON.stringify({ sdp: "a=ice-ufrag:ab\r\na=ice-pwd:abcdef\r\n" }))).toBe(
      JSON.stringify({ sdp: "a=ice-ufrag:ab\r\na=ice-pwd:redact\r\n" }),
    );
  });
});

test("WhatsApp's user ids in fields for user ids are replaced, other user ids stay", () => {
  const { text } = createRedactor([], "5f");
  for (const name of ["user_id", "from_user_id", "from_parent_user_id", "userId"])
    for (const id of ["US.13491208655302741918", "IN.ENT.1a2B3c"])
      expect(text(`{"${name}":"${id}"}`)).toBe(`{"${name}":"${"redacted".padEnd(id.length, "-")}"}`);
  expect(text("userId=US.13491208655302741918&a=b")).toBe("userId=redacted---------------&a=b");
  for (const same of ['{"user_id":"user-4711","userId":4711}', '{"file":"US.13491208655302741918"}'])
    expect(text(same)).toBe(same);
});

describe("phone numbers", () => {
  test("become the same fictional number of the same length, with or without a plus", () => {
    const { text } = createRedactor([], "5f");
    const first = text('{"start":{"from":"15551234567","customParameters":{"caller_number":"+15551234567"}}}');
    const [, from, other] = /"from":"(\d+)".*"caller_number":"\+(\d+)"/.exec(first) ?? [];
    expect(from).toMatch(/^1555010\d{4}$/);
    expect(other).toBe(from);
    expect(text("From=%2B15551234567&To=%2B4917012345678")).toBe(`From=%2B${from}&To=%2B1555010000002`);
    expect(text('{"x":"+1 (555) 123-4567, 1-555-123-4567"}').replace(/\D/g, "")).toBe(`${from}${from}`);
  });

  test.each([
    '{"from":"+49 151 999 5551"}',
    '{"phone":"(415) 555-0199"}',
    '{"text":"call me at +49 151 1234567"}',
    "call me at +49 (0)151/1234567.",
    '{"text":"\\u002b49\\u00a0151 \\u0031234567"}',
    '{"from":"sip:0151333111@x.de"}',
    '{"from":"\\"Anna\\" <sip:0151333111@x.de;user=phone>"}',
    '{"from":"agent-0301234567x12"}',
    '{"callee":"0301234567"}',
    '{"recipient":"0301234567"}',
    '{"mobile":"0301234567"}',
    '{"ani":"4155550199"}',
    '{"CallFrom":"0301234567"}',
    '{"from":{"phoneNumber":"0301234567"}}',
    '{"to":["0301234567","0301234568"]}',
    '{"to":"0301234567 0301234568"}',
    '{"phone":4155550199}',
    "/x?to=0301234567",
    "/x?text=call%20%2B49%20151%201234567",
  ])("%s is replaced, and nothing else", (text) => {
    const result = createRedactor([], "5f").text(text);
    expect(result).not.toMatch(/999 5551|0199|1234567|333111|123456[78]|234567/);
    expect(result).toHaveLength(text.length);
    expect(result.replace(/\d/g, "")).toBe(text.replace(/\d/g, ""));
  });

  test("a number that a field names is replaced in other text, also before the field and after an escape", () => {
    const { text, url } = createRedactor([], "5f");
    expect(text('{"text":"this is 0151 12345678","from":"015112345678"}')).not.toMatch(/12345678/);
    expect(url("/x?y=%22015112345678&z=1")).toMatch(/^\/x\?y=%221555\d{8}&z=1$/);
    expect(text('{"x":15112345678,"y":"015112345678"}')).toMatch(/^\{"x":15112345678,"y":"1555\d{8}"\}$/);
  });

  test.each([
    '{"orderNumber":"12345678","order_number":"12345678","number_of_items":12345678}',
    '{"timestamp":"15551234567890","to":"bob"}',
    '{"to":"550e8400-e29b-41d4-a716-446655440000","from":"2024-01-01"}',
    '{"to":"55012345-e29b-41d4-8716-446655440000"}',
    '{"from":1700000000,"to":1700003600000}',
    '{"from":"192.168.100.200"}',
    '{"time":"2024-01-01T00:00:00+01:00","size":"+1000"}',
    '{"from":"-------","to":"1 - - - -"}',
    '{"photo":"x","id":"CA00000000000000001234567890123456"}',
  ])("%s stays", (text) => {
    expect(createRedactor([], "5f").text(text)).toBe(text);
  });

  test("1,000 different numbers become 1,000 different numbers", () => {
    const { text, isFull } = createRedactor([], "5f");
    const numbers = Array.from(
      { length: 1_000 },
      (_, index) => `+49170${String(index).padStart(2 + (index % 8), "0")}`,
    );
    const digits = numbers.map((each) => each.padEnd(8, "1"));
    const redacted = JSON.parse(text(JSON.stringify(digits)));
    expect(new Set(redacted).size).toBe(new Set(digits).size);
    for (const [index, each] of redacted.entries()) {
      expect(each).toHaveLength(digits[index]?.length ?? 0);
      expect(each).toMatch(fictional);
    }
    expect(isFull).toBe(false);
  });
});

test("bytes keep their length, and those that are not text", () => {
  const { bytes } = createRedactor(["the-api-key"], "5f");
  const json = Buffer.from('{"token":"abcdefghij","name":"Jörg","text":"+49\u00a0151 1234567"}');
  // A length of 123 bytes is the character {, and one of 34 a quotation mark.
  for (const length of [0x7b, 0x22, 0x31]) {
    const message = Buffer.concat([Buffer.of(0x22, length, 0x0a, length - 2), json, Buffer.of(0, 0xff, 0x80)]);
    const result = bytes(message);
    expect(result).toHaveLength(message.length);
    expect(result.subarray(0, 4)).toEqual(message.subarray(0, 4));
    expect(JSON.parse(result.subarray(4, -3).toString())).toMatchObject({ token: "redacted--", name: "Jörg" });
    expect(result.toString()).not.toContain("1234567");
    expect(result.subarray(-3)).toEqual(message.subarray(-3));
  }
});

test.each([
  ["half of a character as a secret", '{"token":"aaaaaa\\ud800"}'],
  ["a text that is cut", '{"token":"aaa'],
  ["a text with the character that fills gaps", '{"a":"\uffff\uffff+4917012345678\uffff"}'],
  ["escapes that are cut", '{"a":"\\u00'],
  ["a percent sign", "100% of a=%"],
])("%s does not change other texts", (_what, odd) => {
  const { text } = createRedactor([], "5f");
  expect(text(odd)).toHaveLength(odd.length);
  expect(text('{"x":1,"y":"two"}')).toBe('{"x":1,"y":"two"}');
});

test("JSON of any shape stays valid and keeps its structure", () => {
  let state = 1;
  const random = (below: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] as T;
  const names = [
    "token",
    "tokens",
    "from",
    "password",
    "a",
    'q"',
    "\\",
    "=",
    "body",
    "+4917012345678",
    "the-api-key",
    "{",
    "[",
  ];
  const pieces = [
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "&",
    "%22",
    "%",
    "+49170 123456",
    "0151123456",
    "the-api-key",
  ];
  const more = [
    "\n",
    "ü",
    "\u0000",
    "\uffff",
    "bearer ",
    "abcdefgh",
    "a=ice-pwd:",
    "&quot;",
    "'",
    " ",
    "1234567890123456",
    "token",
  ];
  const makeText = () => Array.from({ length: random(12) }, () => pick([...pieces, ...more])).join("");
  function makeValue(depth: number): unknown {
    const kind = random(depth > 3 ? 4 : 8);
    if (kind < 2) return makeText();
    if (kind === 2) return pick([1.5e300, -12, 1234567890123456, 15112345678, 0.1, 4155550199]);
    if (kind === 3) return pick([true, null, false]);
    if (kind === 4) return JSON.stringify(makeValue(depth + 1));
    if (kind === 5) return Array.from({ length: random(4) }, () => makeValue(depth + 1));
    return Object.fromEntries(Array.from({ length: random(4) }, () => [pick(names), makeValue(depth + 1)]));
  }
  const parse = (result: string, text: string): unknown => {
    try {
      return JSON.parse(result);
    } catch {
      throw new Error(`${text}\n${result}`);
    }
  };
  const shapeOf = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shapeOf);
    if (typeof value === "object" && value !== null) return Object.values(value).map(shapeOf);
    return typeof value;
  };
  const redactor = createRedactor(["the-api-key", "1234567890123456"], "5f");
  for (let count = 0; count < 20_000; count++) {
    const value = makeValue(0);
    const text = JSON.stringify(value, undefined, random(2));
    const result = redactor.text(text);
    expect(result).toHaveLength(text.length);
    expect(shapeOf(parse(result, text))).toEqual(shapeOf(value));
    expect(result).not.toMatch(/the-api-key|1234567890123456/);
    expect(redactor.bytes(Buffer.from(text))).toHaveLength(Buffer.byteLength(text));
  }
});
