import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { apiUrlOption, environmentOption, verifySignaturesOption } from "./options.ts";

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
