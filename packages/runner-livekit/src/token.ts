import { createHmac, randomUUID } from "node:crypto";

/** An API key of a LiveKit server. */
export interface ApiKey {
  readonly key: string;
  readonly secret: string;
}

/** What a token allows. https://docs.livekit.io/home/get-started/authentication/ */
export interface TokenGrants {
  /** The identity and name of the participant. */
  readonly identity?: string;
  /** `agent`: other participants see a bot. */
  readonly kind?: "agent";
  readonly video: {
    readonly room?: string;
    readonly roomJoin?: boolean;
    readonly roomCreate?: boolean;
    readonly roomList?: boolean;
    readonly agent?: boolean;
    readonly canUpdateOwnMetadata?: boolean;
  };
}

/** How far the clock of the server may be behind, in seconds. */
const clockSkew = 60;

/** Creates a LiveKit access token: a JWT, signed with HMAC-SHA256. */
export function createToken(apiKey: ApiKey, grants: TokenGrants, lifetimeMs: number): string {
  const { identity, ...claims } = grants;
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: apiKey.key,
    nbf: now - clockSkew,
    exp: now + Math.floor(lifetimeMs / 1000),
    jti: randomUUID(),
    ...(identity !== undefined && { sub: identity, name: identity }),
    ...claims,
  };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", apiKey.secret).update(signed).digest("base64url")}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
