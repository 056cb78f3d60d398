import { describe, expect, test } from "vitest";
import { checkDialOptions, parseDial } from "./dial.ts";

const allowed = { allowDial: ["+1555", "+4930"] };
const from = "+15550199";

test("numbers in E.164 with an allowed prefix are accepted, and passed on unchanged", () => {
  for (const to of ["+15550100", "+155501001234567", "+4930123"]) {
    expect(parseDial({ to, from }, allowed)).toEqual({ to, from, machineDetection: false });
  }
  expect(parseDial({ to: "+15550100", from, machineDetection: "report" }, allowed)).toMatchObject({
    machineDetection: "report",
  });
  expect(parseDial({ to: "+15550100", from, machineDetection: true }, allowed)).toEqual({
    to: "+15550100",
    from,
    machineDetection: true,
  });
});

describe("a number that is not exactly E.164 is rejected, whatever its prefix", () => {
  test.each([
    ["a space", "+1 5550100"],
    ["brackets", "+1(555)0100"],
    ["dashes", "+1-555-0100"],
    ["a leading space", " +15550100"],
    ["a line feed at the end", "+15550100\n"],
    ["a carriage return and another field", "+15550100\r\nTo=+19005550100"],
    ["a NUL", "+15550100\0"],
    ["an extension", "+15550100;ext=900"],
    ["a comma for a pause", "+15550100,19005550100"],
    ["a w for a pause", "+15550100w900"],
    ["a second destination", "+15550100<+19005550100"],
    ["a second form field", "+15550100&To=+19005550100"],
    ["a hash", "+15550100#"],
    ["a SIP URI", "sip:+15550100@example.com"],
    ["a tel URI", "tel:+15550100"],
    ["a SIP URI after the prefix", "+1555@sip.example.com"],
    ["a client", "client:anna"],
    ["no plus", "15550100"],
    ["00 in place of the plus", "0015550100"],
    ["a second plus", "++15550100"],
    ["an encoded plus", "%2B15550100"],
    ["a full-width plus", "＋15550100"],
    ["Arabic digits", "+1555٠١٠٠"],
    ["full-width digits", "+１５５５０１００"],
    ["mathematical digits", "+1555𝟎𝟏𝟎𝟎"],
    ["a zero-width space", "+1555\u200b0100"],
    ["a right-to-left mark", "+15550100\u200f"],
    ["a zero after the plus", "+0155501001"],
    ["too few digits", "+155501"],
    ["16 digits", "+1555010012345678"],
    ["10,000 digits", `+1555${"0".repeat(10_000)}`],
    ["an empty text", ""],
    ["a plus alone", "+"],
    ["letters", "+1555FLOWERS"],
    ["an exponent", "+1555e100"],
    ["a number", 15_550_100],
    ["an array", ["+15550100"]],
    ["an array of two", ["+15550100", "+19005550100"]],
    ["an object", { toString: () => "+15550100" }],
    ["null", null],
    ["nothing", undefined],
  ])("%s", (_, number) => {
    const invalid = expect.objectContaining({ code: "PHONE_NUMBER_INVALID", status: 400 });
    expect(() => parseDial({ to: number, from }, allowed)).toThrow(invalid);
    expect(() => parseDial({ to: "+15550100", from: number }, allowed)).toThrow(invalid);
  });
});

test.each(["+19005550100", "+15540100", "+493100", "+4420123456", "+5550100", "+1155500100"])(
  "%s has no allowed prefix",
  (to) => {
    const refused = expect.objectContaining({ code: "DIAL_NUMBER_REFUSED", status: 403 });
    expect(() => parseDial({ to: to.padEnd(8, "0"), from }, allowed)).toThrow(refused);
  },
);

test("nothing can be called without prefixes", () => {
  const disabled = expect.objectContaining({ code: "DIAL_DISABLED", fix: expect.stringContaining("--allow-dial") });
  expect(() => parseDial({ to: "+15550100", from }, { allowDial: [] })).toThrow(disabled);
});

test.each([
  [null],
  ["+15550100"],
  [true],
  [[]],
  [[{ to: "+15550100", from }]],
  [{ to: "+15550100", from, url: "https://evil.example" }],
  [{ to: "+15550100", from, To: "+19005550100" }],
  [{ to: "+15550100", from, machineDetection: "yes" }],
  [JSON.parse(`{"to":"+15550100","from":"${from}","__proto__":{"to":"+19005550100"}}`)],
])("%j is not accepted as dial", (dial) => {
  expect(() => parseDial(dial, allowed)).toThrow(expect.objectContaining({ code: "BODY_INVALID", status: 400 }));
});

test("errors do not contain what the caller sent, because they are logged", () => {
  const secret = "+19005550123";
  for (const dial of [
    { to: secret, from },
    { to: `${secret} `, from },
    { to: "+15550100", from: `${secret}x` },
    { [secret]: 1 },
  ]) {
    expect(() => parseDial(dial, allowed)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("900"), fix: expect.not.stringContaining("900") }),
    );
  }
});

test("prefixes require an API key", () => {
  checkDialOptions(allowed, { requireKey: true });
  checkDialOptions({ allowDial: [] }, { requireKey: false });
  expect(() => checkDialOptions(allowed, { requireKey: false })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", fix: expect.stringContaining("PIPECAT_RUNNER_API_KEY") }),
  );
});
