import type { IncomingMessage } from "node:http";
import {
  type DoctorContext,
  type DoctorResult,
  type ReceivedRequest,
  type RunnerSettings,
  resolveOptions,
} from "@pipecat-ts/runner-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFakeApi } from "./caller/index.ts";
import { doctorChecks } from "./doctor.ts";
import { type AcmeOptions, createAcme } from "./test/acme.ts";

const publicUrl = new URL("https://bots.example.com/voice");
const settings = { host: "localhost", publicUrl, trustProxy: false, requireAuth: false } as RunnerSettings;
const carrier = createAcme();
let api: Awaited<ReturnType<typeof openFakeApi>>;
let status = 200;
beforeAll(async () => {
  api = await openFakeApi(() => ({ status }));
});
afterAll(() => api.close());

/** A round trip through a proxy that removes the prefix of the public URL, and changes the path or not. */
function roundTripWith(change = (path: string) => path): NonNullable<DoctorContext["roundTrip"]> {
  return async (path, create) => {
    const url = new URL(`${publicUrl.href}${path}?doctor=1`);
    const { method, headers, body = "" } = create(url);
    const request = { method, headers, url: change(`${path}${url.search}`) } as Partial<IncomingMessage>;
    return { request, body } as ReceivedRequest;
  };
}

async function results(
  more: Partial<AcmeOptions> = {},
  context: DoctorContext = { settings, roundTrip: roundTripWith() },
): Promise<Record<string, DoctorResult>> {
  const defaults = resolveOptions(carrier.options, { given: {}, env: {} });
  const options = { ...defaults, key: "a key", apiUrl: api.url, ...more };
  const checks = doctorChecks(carrier, options, context);
  const run = checks.map(async (check) => [check.name, await check.run(new AbortController().signal)] as const);
  return Object.fromEntries(await Promise.all(run));
}

test("a signed request through the public URL is verified, and the carrier accepts the credentials", async () => {
  expect(await results()).toMatchObject({ signatures: { state: "passed" }, credentials: { state: "passed" } });
  expect(api.requests.at(-1)).toMatchObject({ method: "GET", path: "/account" });
});

test("a proxy that changes the URL makes signatures fail", async () => {
  const { signatures } = await results({}, { settings, roundTrip: roundTripWith((path) => `/voice${path}`) });
  expect(signatures).toMatchObject({ state: "failed", fix: expect.stringContaining("unchanged") });
});

test("credentials that the carrier rejects fail, and another status too", async () => {
  status = 401;
  expect(await results()).toMatchObject({ credentials: { state: "failed", fix: "Check them: Set ACME_KEY." } });
  status = 500;
  expect(await results()).toMatchObject({ credentials: { state: "failed", reason: "Acme answers with status 500." } });
  status = 200;
});

test("what is not configured is not checked", async () => {
  expect(await results({ key: undefined })).toEqual({});
  expect(Object.keys(await results({ verifySignatures: false }))).toEqual(["credentials"]);
});

test("signatures are not checked while the port is in use, or when only the carrier can sign", async () => {
  expect(await results({}, { settings })).toMatchObject({ signatures: { state: "skipped" } });
  const { sign: _, ...signatures } = carrier.signatures ?? {};
  const unsigning = { ...carrier, signatures } as typeof carrier;
  const options = { ...resolveOptions(carrier.options, { given: {}, env: {} }), key: "a key" };
  const [check] = doctorChecks(unsigning, options, { settings, roundTrip: roundTripWith() });
  expect(await check?.run(new AbortController().signal)).toMatchObject({ state: "skipped" });
});
