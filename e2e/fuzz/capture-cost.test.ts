import { describe, expect, test } from "vitest";
import { createRedactor } from "../../packages/runner-capture/src/redact.ts";
import { leastProcessorMs } from "../../packages/runner-core/src/test/processor-time.ts";
import { expectCost } from "./cost.ts";

/** The largest message of a caller. */
const maxBytes = 1024 * 1024;
/**
 * What a message may cost whatever its size, and each of its bytes in addition: three times the most expensive inputs below. Most cost
 * a quarter of these. Only `--capture` has these costs.
 */
const cost = { messageMicros: 60, byteMicros: 0.45, blockMs: 450 };

/** `piece` repeated to nearly 1 MiB. */
const fill = (piece: string): string => piece.repeat((maxBytes - 1_000) / piece.length);
const list = (count: number, item: (index: number) => string): string =>
  Array.from({ length: count }, (_, n) => item(n)).join(",");

const texts: Readonly<Record<string, string>> = {
  "one text": `"${fill("x")}"`,
  "escaped text": `["${fill("\\u0041")}"]`,
  "quotation marks": `["${fill('\\"')}"]`,
  backslashes: `["${fill("\\\\")}`,
  "short escaped texts": `[${fill('"\\n1234567",')}0]`,
  "escaped digits": `["${fill("\\u0031")}"]`,
  "white space": `[${fill(" ")}1]`,
  digits: `["${fill("1")}"]`,
  "a long number": `[${fill("1")}]`,
  "separated digits": `["${fill("1 ")}"]`,
  "digits and spaces": `["${fill("1            ")}"]`,
  "digits in groups of six": `["${fill("1-1-1-1-1-1x")}"]`,
  pluses: `["${fill("+(")}"]`,
  "the same number": `["${fill("+15551234567,")}"]`,
  "the same number in a field": `{"from":[${fill('"15551234567",')}0]}`,
  "long text in a phone field": `{"from":"${fill("15551234567 ")}"}`,
  "empty lists": `[${fill("[],")}0]`,
  "empty objects": `[${fill("{},")}0]`,
  "nested lists": fill("["),
  "nested objects": fill('{"a":'),
  "nested secrets": fill('{"token":'),
  "closing brackets": fill("]"),
  "many texts": `[${fill('"",')}""]`,
  "many short texts": `[${fill('"abcdefgh",')}""]`,
  "many names": `{${list(90_000, (n) => `"k${n}":0`)}}`,
  "many names of secrets": `{${list(70_000, (n) => `"token${n}":0`)}}`,
  "many names of numbers": `{${list(70_000, (n) => `"to_num${n}":0`)}}`,
  "many secrets": `[${fill('{"token":"abcdefgh"},')}0]`,
  "JSON in JSON": JSON.stringify({
    a: JSON.stringify({ b: JSON.stringify({ c: fill('{"d":"e"}').slice(0, 100_000) }) }),
  }),
  "begins of JSON": fill('{"'),
  "begins of JSON in text": `x${fill("[[")}`,
  "spaces after brackets": `x${fill(`{${" ".repeat(500)}x`)}`,
  "equals signs": fill("="),
  "nested pairs": fill("a="),
  pairs: fill("a=b&"),
  "escaped pairs": fill("a=%3D&"),
  "nested escaped pairs": fill("a=%3D"),
  "pairs of secrets": fill("token=a&"),
  "quoted pairs": fill('a="b"'),
  "quotation marks after equals signs": fill(`='="`),
  "nested entities": `a="${fill("&quot;=")}"`,
  percents: fill("%31"),
  "percents in percents": fill("%2525"),
  "names without a value": fill("abcdefghijklmnopqrstuvwxyz_"),
  bearers: fill("bearer  "),
  "ICE passwords": fill("a=ice-pwd:"),
  "ends of tokens": fill(".1700000000."),
  "the begin of a secret": fill("a-key-that-nobody"),
  "a secret": fill("a-key-that-nobody-may-read"),
  "text of two bytes": `["${"é".repeat(500_000)}"]`,
};

describe("the cost of redacting", () => {
  test.each(Object.entries(texts))("%s", async (_, text) => {
    const redactor = createRedactor(
      ["a-key-that-nobody-may-read", 'a"secret/with\\signs', "x".repeat(40)],
      "5f-session",
    );
    await expectCost([text], (message) => redactor.text(message), cost);
    expect(redactor.text(text)).toHaveLength(text.length);
  });

  test.each(["escaped digits", "the same number", "many names", "the begin of a secret"])(
    "%s, as bytes",
    async (name) => {
      const text = texts[name] ?? "";
      const redactor = createRedactor(["a-key-that-nobody-may-read"], "5f-session");
      await expectCost([Buffer.from(text)], (message) => redactor.bytes(message), cost);
    },
  );

  test("3,000 messages of a usual call", async () => {
    const redactor = createRedactor(["a-key-that-nobody-may-read"], "5f-session");
    const message = JSON.stringify({
      label: "rtvi-ai",
      type: "user-transcription",
      id: "1",
      data: { text: "Hello", final: true },
    });
    await expectCost(
      Array.from({ length: 3_000 }, () => message),
      (text) => redactor.text(text),
      cost,
    );
  });
});

test("80,000 different numbers in one message", async () => {
  const text = list(80_000, (n) => `+1555${1_000_000 + n}`);
  const redact = () => {
    const redactor = createRedactor([], "5f");
    redactor.text(text);
    expect(redactor.isFull).toBe(true);
  };
  expect(await leastProcessorMs(redact)).toBeLessThan(500); // It takes about 160.
});
