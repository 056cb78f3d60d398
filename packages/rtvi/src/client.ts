import Type from "typebox";
import { Check } from "typebox/value";
import { protocolVersion, quote } from "./messages.ts";

/** The client at the other end, as its `client-ready` told it. */
export interface RTVIClient {
  /** The protocol version as the client wrote it: `2.1.0` from client-js 1.13. Undefined when it wrote none. */
  readonly version: string | undefined;
  /** The client's library and platform. Undefined when it told none, or not in the protocol's shape. */
  readonly about: AboutClient | undefined;
  /** Whether it speaks protocol 1: it is then sent `bot-output` in that protocol's form. */
  readonly legacy: boolean;
}

/** What a client tells of itself, in the wire's names. */
export interface AboutClient {
  /** `@pipecat-ai/client-js`, say. */
  readonly library: string;
  readonly library_version?: string | null;
  readonly platform?: string | null;
  readonly platform_version?: string | null;
  readonly platform_details?: unknown;
}

const optionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const aboutClient = Type.Object({
  library: Type.String(),
  library_version: optionalText,
  platform: optionalText,
  platform_version: optionalText,
});

/**
 * The client that a `client-ready` announces, and what to object to in its version. An objection is no refusal: the
 * original answers it with an `error-response` and serves the client all the same. Absent or odd data is legal.
 */
export function readClient(data: unknown): { readonly client: RTVIClient; readonly objection: string | undefined } {
  const { version, about } = (data ?? {}) as { readonly version?: unknown; readonly about?: unknown };
  const text = typeof version === "string" && version !== "" ? version : undefined;
  const major = text === undefined ? undefined : majorOf(text);
  return {
    client: {
      version: text,
      about: Check(aboutClient, about) ? about : undefined,
      legacy: major === 1,
    },
    objection: objectionTo(text, major),
  };
}

/** The version that `bot-ready` answers with: ours, but a legacy client's own, or it would take our messages for those of 2.x. */
export function versionFor(client: RTVIClient): string {
  return client.legacy && client.version !== undefined ? client.version : protocolVersion;
}

function majorOf(version: string): number | undefined {
  const [, major] = /^(\d+)\.\d+\.\d+$/.exec(version) ?? [];
  return major === undefined ? undefined : Number(major);
}

function objectionTo(version: string | undefined, major: number | undefined): string | undefined {
  const warning = "Compatibility issues may occur.";
  if (version === undefined) return `Client version unknown. ${warning}`;
  if (major === undefined) return `Invalid client version format (${quote(version)}). ${warning}`;
  if (major === 1 || major === Number.parseInt(protocolVersion, 10)) return undefined;
  return `RTVI version ${quote(version)} is not compatible with server protocol ${protocolVersion}. ${warning}`;
}
