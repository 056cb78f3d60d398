import { createHmac, type KeyObject, randomUUID, sign } from "node:crypto";
import { safeEqual } from "@pipecat-ts/runner-core";
import { type JsonObject, parseObject } from "@pipecat-ts/runner-telephony";

/** How long a token is valid, in s. An older one may be a replay. */
const maxAgeS = 300;

/** A JSON Web Token (RFC 7519) that is valid for 300 s. A secret signs with HS256, a private key with RS256. */
export function createJwt(claims: object, key: string | KeyObject): string {
  const iat = Math.floor(Date.now() / 1000);
  const header = encode({ typ: "JWT", alg: typeof key === "string" ? "HS256" : "RS256" });
  const signed = `${header}.${encode({ ...claims, iat, exp: iat + maxAgeS, jti: randomUUID() })}`;
  const signature =
    typeof key === "string" ? hs256(signed, key) : sign("sha256", Buffer.from(signed), key).toString("base64url");
  return `${signed}.${signature}`;
}

/** The claims of a token that `secret` signed with HS256 at most 300 s ago; otherwise `undefined`. */
export function verifyJwt(token: string, secret: string): JsonObject | undefined {
  const [header = "", claims = "", signature = "", ...rest] = token.split(".");
  if (rest.length > 0 || !safeEqual(signature, hs256(`${header}.${claims}`, secret))) return undefined;
  const verified = decode(claims);
  // The comparison is false for `NaN`.
  const isNew = Math.abs(Date.now() / 1000 - Number(verified?.iat)) <= maxAgeS;
  return decode(header)?.alg === "HS256" && isNew ? verified : undefined;
}

function hs256(signed: string, secret: string): string {
  return createHmac("sha256", secret).update(signed).digest("base64url");
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): JsonObject | undefined {
  return parseObject(Buffer.from(part, "base64url").toString("utf8"));
}
