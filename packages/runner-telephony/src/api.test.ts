import { createRestClient, resolveOptions } from "@pipecat-ts/runner-core";
import { afterEach, describe, expect, test } from "vitest";
import { createRecordingLogger } from "../../runner-testing/src/index.ts";
import { apiPath, basicAuthorization, createCallControl } from "./api.ts";
import { type FakeApi, openFakeApi } from "./caller/index.ts";
import type { CarrierApi } from "./carrier.ts";
import { type AcmeOptions, createAcme } from "./test/acme.ts";

let api: FakeApi | undefined;
afterEach(async () => await api?.close());

/** The control of one call, at an API that answers with these statuses in turn. */
async function openControl(
  statuses: readonly number[],
  more: Partial<CarrierApi<AcmeOptions>> = {},
  isVerified = true,
) {
  const left = [...statuses];
  api = await openFakeApi(() => ({ status: left.shift() ?? 500, body: '{"number":"+15550100"}' }));
  const acme = createAcme();
  const logger = createRecordingLogger();
  const control = createCallControl({
    carrier: { ...acme, api: { ...(acme.api as CarrierApi<AcmeOptions>), ...more } },
    options: resolveOptions(acme.options, { given: { key: "secret", apiUrl: api.url }, env: {} }),
    call: { streamId: "S1", callId: "A1" },
    isVerified,
    verificationFix: "Set ACME_KEY.",
    rest: createRestClient({ vendor: "Acme", unreachable: "CARRIER_REFUSED", retryDelayMs: 1 }),
    logger,
    documentUrl: () => new URL("https://bots.example.com/acme"),
  });
  return { control, logger, requests: api.requests };
}

describe("hanging up", () => {
  test.each([[[200]], [[404]], [[500, 200]], [[429, 200]], [[503, 404]]])(
    "succeeds with the statuses %j, and happens once",
    async (statuses) => {
      const { control, logger, requests } = await openControl(statuses);
      await Promise.all([control.hangUp(), control.hangUp()]);
      await control.hangUp();
      expect(requests.map(({ method, path }) => [method, path])).toEqual(statuses.map(() => ["DELETE", "/calls/A1"]));
      expect(logger.lines).toMatchObject([{ level: "debug", message: "call hung up" }]);
    },
  );

  test.each([[[500, 500]], [[400]], [[401]]])("that fails with the statuses %j is logged once", async (statuses) => {
    const { control, logger, requests } = await openControl(statuses);
    await control.hangUp();
    expect(requests).toHaveLength(statuses.length);
    expect(logger.lines).toMatchObject([
      {
        level: "warn",
        message: "hang-up failed",
        fields: { err: { code: "CARRIER_REFUSED", message: `Acme did not hang up: status ${statuses.at(-1)}.` } },
      },
    ]);
    expect(JSON.stringify(logger.lines)).not.toMatch(/secret|5550100/);
  });

  test("whose request cannot be built is logged, and does not throw", async () => {
    const { control, logger } = await openControl([], {
      hangUp() {
        throw new URIError("URI malformed");
      },
    });
    await control.hangUp();
    expect(logger.lines).toMatchObject([{ level: "warn", message: "hang-up failed" }]);
  });
});

test("a call that the carrier did not name gets no API request, and one log line says so", async () => {
  const { control, logger, requests } = await openControl([200], { sendDtmf: () => ({}) as never }, false);
  expect(control.sendDtmf).toBe(undefined);
  expect(() => control.requireHangUp()).toThrow(expect.objectContaining({ code: "CALL_UNVERIFIED" }));
  await expect(control.transfer("+15550123", undefined, async () => undefined)).rejects.toMatchObject({
    code: "CALL_UNVERIFIED",
    status: 403,
    fix: "Set ACME_KEY.",
  });
  await control.hangUp();
  await control.hangUp();
  expect(requests).toEqual([]);
  expect(logger.lines).toMatchObject([{ level: "warn", fields: { code: "CALL_UNVERIFIED", fix: "Set ACME_KEY." } }]);
});

test.each([
  [undefined, { say: "Hello" }, "Transfer without a whisper."],
  [["play"], { say: "Hello" }, 'Pass the URL of an audio file: {play: "https://…"}.'],
  [["say"], { play: "https://example.com/a.mp3" }, "Transfer without a whisper."],
] as const)("a carrier that whispers %j rejects %j, and sends no request", async (whispers, whisper, fix) => {
  const { control, requests } = await openControl([200], whispers && { whispers });
  await expect(control.transfer("+15550123", whisper, async () => undefined)).rejects.toMatchObject({
    code: "TRANSFER_UNSUPPORTED",
    fix,
  });
  expect(requests).toEqual([]);
  await control.transfer("+15550123", undefined, async () => undefined);
  expect(requests).toHaveLength(1);
});

test("a whisper may have undefined fields", async () => {
  const { control, requests } = await openControl([200], { whispers: ["say"] });
  const whisper = { say: "Hello", language: undefined, play: undefined };
  await control.transfer("+15550123", whisper, async () => undefined);
  expect(requests).toHaveLength(1);
});

test("a rejected transfer names the status and a fix, and nothing private", async () => {
  for (const [status, fix] of [
    [401, "Set ACME_KEY."],
    [422, "log"],
  ] as const) {
    const { control } = await openControl([status]);
    const transferring = control.transfer("+15550123", undefined, async () => undefined);
    const error = await transferring.catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: "CARRIER_REFUSED",
      message: `Acme did not transfer the call: status ${status}.`,
      fix: expect.stringContaining(fix),
    });
    await api?.close();
  }
});

test("apiPath escapes each segment", () => {
  expect(apiPath("https://a.example/v2/", "calls", "v3:a/../b?c#d", "hangup").href).toBe(
    "https://a.example/v2/calls/v3%3Aa%2F..%2Fb%3Fc%23d/hangup",
  );
});

test.each([".", "..", "\ud800"])("apiPath rejects %j, which escaping cannot protect", (id) => {
  expect(() => apiPath("https://a.example", "calls", id, "")).toThrow(
    expect.objectContaining({ code: "CARRIER_REFUSED", fix: expect.any(String) }),
  );
});

test("basicAuthorization is base64 of user and password", () => {
  expect(basicAuthorization("Aladdin", "open sesame")).toBe("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
});
