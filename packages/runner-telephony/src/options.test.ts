import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { apiUrlOption, dialOptions, environmentOption, verifySignaturesOption } from "./options.ts";

const table = {
  key: environmentOption("ACME_KEY", "The key", { secret: true }),
  apiUrl: apiUrlOption("ACME_API_URL", "https://api.acme.example"),
  verifySignatures: verifySignaturesOption(),
};

test("by default, signatures are verified and the API has its own URL", () => {
  expect(resolveOptions(table, { env: {} })).toEqual({
    key: undefined,
    apiUrl: "https://api.acme.example",
    verifySignatures: true,
  });
});

test("rejects an API URL that is not an http or https URL", () => {
  for (const url of ["api.acme.example", "ftp://a", "localhost:4000"]) {
    expect(() => resolveOptions(table, { env: { ACME_API_URL: url } })).toThrow(
      expect.objectContaining({ fix: expect.stringContaining("https://api.example.com") }),
    );
  }
  expect(resolveOptions(table, { env: { ACME_API_URL: "http://127.0.0.1:1/x" } }).apiUrl).toBe("http://127.0.0.1:1/x");
});

test("nothing may be called by default; prefixes are the starts of E.164 numbers", () => {
  const read = (env: Readonly<Record<string, string>>) => resolveOptions(dialOptions(), { env });
  expect(read({})).toEqual({ allowDial: [], dialLimit: 10 });
  const env = { PIPECAT_ALLOW_DIAL: "+1555, +4930,+15550100", PIPECAT_DIAL_LIMIT: "3" };
  expect(read(env)).toEqual({ allowDial: ["+1555", "+4930", "+15550100"], dialLimit: 3 });
  for (const prefix of ["+", "*", "1555", "+0", "+1 555", "+1555*", "++1", "+1234567890123456", "+１", "+1555,,x"]) {
    const invalid = expect.objectContaining({ code: "OPTION_INVALID", fix: expect.stringContaining("+1555") });
    expect(() => read({ PIPECAT_ALLOW_DIAL: prefix }), prefix).toThrow(invalid);
  }
  for (const limit of ["0", "-1", "1.5", "601", "Infinity"]) {
    expect(() => read({ PIPECAT_DIAL_LIMIT: limit }), limit).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID" }),
    );
  }
});
