import { createHmac } from "node:crypto";
import { type CarrierSignatures, equalInSecret, type Proof, type SignedRequest } from "@pipecat-ts/runner-telephony";
import type { PlivoOptions } from "./options.ts";

/** Plivo's request signatures, version 3: https://www.plivo.com/docs/voice/concepts/signature-validation */
export const signatures: CarrierSignatures<PlivoOptions> = {
  coverUrl: true,
  fix: "Set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN.",
  secret: ({ authToken }) => authToken,
  requireUpgrade: ({ verifySockets }) => verifySockets,
  verifyWebhook: (request, token) => check(request, token, [request.url]) === "genuine",
  // Which URL is signed is not documented: its scheme depends on where TLS ends. So what matches none of these may still be
  // Plivo's, and counts as not signed unless somebody wants to know.
  verifyUpgrade(request, token, { verifySockets }) {
    const urls = ["https", "http", "wss", "ws"].map((scheme) => request.url.replace(/^https?/, scheme));
    const proof = check(request, token, urls);
    return proof === "forged" && !verifySockets ? "none" : proof;
  },
};

/** The signature of a request: of its URL with the query sorted, of the form behind it, and of a number used once. */
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

/** There is a signature by the account's token and one by its main account's, and each may be a list of several. */
function check({ method, headers, form }: SignedRequest, token: string, urls: readonly string[]): Proof {
  const nonce = headers["x-plivo-signature-v3-nonce"];
  const given = ["x-plivo-signature-v3", "x-plivo-signature-ma-v3"]
    .flatMap((name) => [headers[name] ?? []].flat())
    .flatMap((list) => list.split(","));
  if (given.length === 0) return "none";
  if (typeof nonce !== "string") return "forged";
  const expected = urls.filter((url) => URL.canParse(url)).map((url) => sign(method, url, form, nonce, token));
  return given.some((one) => expected.some((other) => equalInSecret(one.trim(), other))) ? "genuine" : "forged";
}
