import { createHash, createHmac } from "node:crypto";
import { safeEqual } from "@pipecat-ts/runner-core";
import type { CarrierSignatures, SignedRequest } from "@pipecat-ts/runner-telephony";
import type { TwilioOptions } from "./options.ts";

/** Twilio's request signatures: https://www.twilio.com/docs/usage/security#validating-requests */
export const signatures: CarrierSignatures<TwilioOptions> = {
  covers: "url",
  fix: "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
  secret: ({ authToken }) => authToken,
  sign: ({ url, form }, token) => ({ "x-twilio-signature": sign(url, form, token) }),
  verifyWebhook(request, token) {
    const given = signatureOf(request);
    return given !== undefined && isBodySigned(request) && isSigned(request.url, request.form, given, token);
  },
  // Twilio signs the upgrade request too: its URL with the scheme wss.
  verifyUpgrade(request, token) {
    const given = signatureOf(request);
    if (given === undefined) return "missing";
    const url = request.url.replace(/^http/, "ws");
    return isSigned(url, new URLSearchParams(), given, token) ? "valid" : "invalid";
  },
};

/** The signature of a request: of its URL, followed by the sorted names and values of its form, without duplicates. */
export function sign(url: string, form: URLSearchParams, token: string): string {
  const names = [...new Set(form.keys())].sort();
  const fields = names.flatMap((name) => [...new Set(form.getAll(name))].sort().map((value) => `${name}${value}`));
  return createHmac("sha1", token)
    .update(`${url}${fields.join("")}`)
    .digest("base64");
}

/** Some of Twilio's servers add the default port to the URL that they sign, and some remove the port. */
function isSigned(url: string, form: URLSearchParams, given: string, token: string): boolean {
  const defaultPort = /^(https|wss):/.test(url) ? ":443" : ":80";
  const spellings = [
    url,
    url.replace(authority, "$<host>"),
    url.replace(authority, (_, host: string, port = defaultPort) => host + port),
  ];
  return spellings.some((signed) => safeEqual(sign(signed, form, token), given));
}

const authority = /^(?<host>[a-z]+:\/\/[^/?#]+?)(?<port>:\d+)?(?=[/?#]|$)/;

/** Whether the signature covers the body: as form fields, or with the hash of another body in the URL. */
function isBodySigned({ url, rawBody, form }: SignedRequest): boolean {
  const hash = URL.parse(url)?.searchParams.get("bodySHA256");
  if (hash) return safeEqual(createHash("sha256").update(rawBody).digest("hex"), hash.toLowerCase());
  return rawBody === "" || form.size > 0;
}

function signatureOf({ headers }: SignedRequest): string | undefined {
  const header = headers["x-twilio-signature"];
  return typeof header === "string" ? header : undefined;
}
