import { type OptionTable, RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import Type from "typebox";
import type { WebSocketAuth } from "./socket-access.ts";

/** Who may call a runner. */
export interface AccessOptions {
  /** What whoever starts sessions must send as a bearer; everybody may where there is none. */
  readonly apiKey: string | undefined;
  /** `token`: a socket is opened by a session's token only, once. */
  readonly webSocketAuth: WebSocketAuth;
  /** What tokens are signed with; for runners that are to know each other's. Default: random. */
  readonly webSocketSecret: string | undefined;
  /** The origins whose pages may call, like `https://app.example.com`; empty or `*`: all. */
  readonly allowedOrigins: readonly string[];
}

export const accessFlags: OptionTable<AccessOptions> = {
  apiKey: {
    flag: "api-key",
    env: "PIPECAT_RUNNER_API_KEY",
    description: "Key that whoever starts sessions must send; better given by the variable",
    schema: Type.String({ minLength: 16, pattern: "^[!-~]*$", description: "16 characters or more, no spaces" }),
    placeholder: "key",
    secret: true,
  },
  webSocketAuth: {
    flag: "ws-auth",
    env: "PIPECAT_WEBSOCKET_AUTH",
    default: "none",
    description: "token: sockets are opened by a session's token only, once",
    schema: Type.Union([Type.Literal("none"), Type.Literal("token")]),
    placeholder: "none|token",
  },
  webSocketSecret: {
    env: "PIPECAT_WEBSOCKET_SECRET",
    description: "What tokens are signed with (default: random)",
    schema: Type.String({ minLength: 16, description: "16 characters or more" }),
    secret: true,
  },
  allowedOrigins: {
    flag: "allowed-origins",
    env: "PIPECAT_ALLOWED_ORIGINS",
    default: [],
    description: "Origins whose pages may call, separated by commas (default: all)",
    schema: Type.Array(Type.String()),
    placeholder: "origins",
  },
};

/** The options of a runner made in code: defaults filled in. Throws OPTION_INVALID. Reads no environment variable. */
export function createAccessOptions(given: Partial<AccessOptions>): AccessOptions {
  const { apiKey, webSocketAuth, webSocketSecret, allowedOrigins } = given;
  const options = resolveOptions(accessFlags, {
    given: { apiKey, webSocketAuth, webSocketSecret, allowedOrigins },
    env: {},
  });
  return { ...options, allowedOrigins: options.allowedOrigins.map(parseOrigin) };
}

/** A browser says its origin without a slash at the end. Origins of apps have schemes of their own. */
function parseOrigin(text: string): string {
  const origin = text.replace(/\/$/, "");
  if (origin === "*" || /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i.test(origin)) return origin;
  throw new RunnerError("OPTION_INVALID", `--allowed-origins has "${text}", which is no origin.`, {
    fix: 'Give a scheme and a host, like "https://app.example.com", with the port where there is one.',
  });
}
