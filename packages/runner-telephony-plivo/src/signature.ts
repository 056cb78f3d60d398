import { createHmac, randomUUID } from "node:crypto";
import { safeEqual } from "@pipecat-ts/runner-core";
import type { CarrierSignatures, SignedRequest, UpgradeSignature } from "@pipecat-ts/runner-telephony";
import type { PlivoOptions } from "./options.ts";

/** Plivo's request signatures, version 3: https://www.plivo.com/docs/voice/concepts/signature-validation */
export const signatures: CarrierSignatures<PlivoOptions> = {
  covers: "url",
  fix: "Set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN.",
  secret: ({ authToken }) => authToken,
  requireUpgrade: ({ verifySockets }) => verifySockets,
  sign({ method, url, form }, token) {
    const nonce = randomUUID();
    return { "x-plivo-signature-v3-nonce": nonce, "x-plivo-signature-v3": sign(method, url, form, nonce, token) };
  },
  // The signature covers a form, and no other body.
  verifyWebhook: (request, token) =>
    (request.rawBody === "" || request.form.size > 0) && check(request, token, [request.url]) === "valid",
  // Plivo does not document which scheme the signed URL has. A signature that matches none may be valid nevertheless, so it
  // counts as missing unless sockets must be verified.
  verifyUpgrade(request, token, { verifySockets }) {
    const urls = ["https", "http", "wss", "ws"].map((scheme) => request.url.replace(/^https?/, scheme));
    const result = check(request, token, urls);
    return result === "invalid" && !verifySockets ? "missing" : result;
  },
};

/** The signature of a request: of its URL with the query sorted, its form, and a nonce. */
export function sign(method: string, url: string, form: URLSearchParams, nonce: string, token: string): string {
  return createHmac("sha256", token)
    .update(`${baseOf(method, url, form)}.${nonce}`)
    .digest("base64");
}

function baseOf(method: string, url: string, form: URLSearchParams): string {
  const { protocol, host, pathname, searchParams } = new URL(url);
  const query = sorted(searchParams)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const fields = method === "GET" ? "" : sorted(form).flat().join("");
  const mark = query === "" && fields === "" ? "" : "?";
  const dot = query === "" || fields === "" ? "" : ".";
  return `${protocol}//${host}${pathname}${mark}${query}${dot}${fields}`;
}

function sorted(parameters: URLSearchParams): [string, string][] {
  return [...parameters].sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Most signatures in one header. Plivo sends one for each auth token of the account. */
const maxSignatures = 8;

/** The account and its main account each sign the request, and each header may list several signatures. */
function check({ method, headers, form }: SignedRequest, token: string, urls: readonly string[]): UpgradeSignature {
  const nonce = headers["x-plivo-signature-v3-nonce"];
  const given = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"]
    .flatMap((name) => [headers[name] ?? []].flat())
    .flatMap((list) => list.split(",", maxSignatures));
  if (given.length === 0) return "missing";
  if (typeof nonce !== "string") return "invalid";
  const expected = urls.filter((url) => URL.canParse(url)).map((url) => sign(method, url, form, nonce, token));
  return given.some((one) => expected.some((other) => safeEqual(one.trim(), other))) ? "valid" : "invalid";
}
