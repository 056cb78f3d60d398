import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { apiPath, apiUrlOption, basicAuthorization, environmentOption, verifySignaturesOption } from "./options.ts";

const table = {
  key: environmentOption("ACME_KEY", "The key", { secret: true }),
  apiUrl: apiUrlOption("ACME_API_URL", "https://api.acme.example"),
  verifySignatures: verifySignaturesOption(),
};

test("without anything given, the API is where it is, and signatures are verified", () => {
  expect(resolveOptions(table, { env: {} })).toEqual({
    key: undefined,
    apiUrl: "https://api.acme.example",
    verifySignatures: true,
  });
});

test("an API's URL must be one", () => {
  for (const url of ["api.acme.example", "ftp://a", "localhost:4000"]) {
    expect(() => resolveOptions(table, { env: { ACME_API_URL: url } })).toThrow("https://api.example.com");
  }
  expect(resolveOptions(table, { env: { ACME_API_URL: "http://127.0.0.1:1/x" } }).apiUrl).toBe("http://127.0.0.1:1/x");
});

test("what stands in a path stays in its segment", () => {
  expect(apiPath("https://a.example/v2/", "calls", "v3:a/../b?c#d", "hangup").href).toBe(
    "https://a.example/v2/calls/v3%3Aa%2F..%2Fb%3Fc%23d/hangup",
  );
});

test.each([".", "..", "\ud800"])("what no escaping keeps in its segment is refused: %j", (id) => {
  expect(() => apiPath("https://a.example", "calls", id, "")).toThrow(
    expect.objectContaining({ code: "CARRIER_REFUSED", fix: expect.any(String) }),
  );
});

test("Basic is base64 of user and password", () => {
  expect(basicAuthorization("Aladdin", "open sesame")).toBe("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
});
