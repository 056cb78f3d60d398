import { createHash, createHmac } from "node:crypto";
import { type CarrierSignatures, equalInSecret, type SignedRequest } from "@pipecat-ts/runner-telephony";
import type { TwilioOptions } from "./options.ts";

/** Twilio's request signatures: https://www.twilio.com/docs/usage/security#validating-requests */
export const signatures: CarrierSignatures<TwilioOptions> = {
  coverUrl: true,
  fix: "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
  secret: ({ authToken }) => authToken,
  verifyWebhook(request, token) {
    const given = signatureOf(request);
    return given !== undefined && hasHonestBody(request) && isSigned(request.url, request.form, given, token);
  },
  // The handshake is signed too, over the URL with the scheme wss and nothing else.
  verifyUpgrade(request, token) {
    const given = signatureOf(request);
    if (given === undefined) return "none";
    const url = request.url.replace(/^http/, "ws");
    return isSigned(url, new URLSearchParams(), given, token) ? "genuine" : "forged";
  },
};

/** The signature of a request: of its URL, and behind it the names and values of its form, sorted, each value once. */
export function sign(url: string, form: URLSearchParams, token: string): string {
  const names = [...new Set(form.keys())].sort();
  const fields = names.flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => `${name}${value}`));
  return createHmac("sha1", token)
    .update(`${url}${fields.join("")}`)
    .digest("base64");
}

/** Some of Twilio's servers sign the port, also where it goes without saying, and some leave it out. */
function isSigned(url: string, form: URLSearchParams, given: string, token: string): boolean {
  const standard = /^(https|wss):/.test(url) ? ":443" : ":80";
  const spellings = [
    url,
    url.replace(authority, "$<host>"),
    url.replace(authority, (_, host: string, port = standard) => host + port),
  ];
  return spellings.some((signed) => equalInSecret(sign(signed, form, token), given));
}

const authority = /^(?<host>[a-z]+:\/\/[^/?#]+?)(?<port>:\d+)?(?=[/?#]|$)/;

/** A body that is no form is signed by its hash, which is a parameter of the URL. */
function hasHonestBody({ url, rawBody, form }: SignedRequest): boolean {
  const hash = URL.parse(url)?.searchParams.get("bodySHA256");
  if (hash) return equalInSecret(createHash("sha256").update(rawBody).digest("hex"), hash.toLowerCase());
  return rawBody.length === 0 || form.size > 0;
}

function signatureOf({ headers }: SignedRequest): string | undefined {
  const header = headers["x-twilio-signature"];
  return typeof header === "string" ? header : undefined;
}
