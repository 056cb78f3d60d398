import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The key that whoever starts sessions must bring, where one was set. */
export interface ApiKey {
  readonly isSet: boolean;
  /** Whether this is the key; takes equally long for every text. False when none was set. */
  matches(text: string | undefined): boolean;
  /** Throws KEY_REQUIRED unless the request brings the key, or none was set. */
  require(request: IncomingMessage): void;
}

export function createApiKey(key: string | undefined): ApiKey {
  const expected = key === undefined ? undefined : digest(key);

  function matches(text: string | undefined): boolean {
    return text !== undefined && expected !== undefined && timingSafeEqual(digest(text), expected);
  }

  return {
    isSet: expected !== undefined,
    matches,
    require(request) {
      if (expected !== undefined && !matches(bearerOf(request))) throw keyRequired();
    },
  };
}

/** What stands behind `Bearer` in the request's Authorization header. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
}

export function keyRequired(): RunnerError {
  return new RunnerError("KEY_REQUIRED", "This server takes callers with its API key only.", {
    fix: "Send it as the header Authorization: Bearer <key>.",
  });
}

/** Of one length, as a comparison in constant time needs it. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
