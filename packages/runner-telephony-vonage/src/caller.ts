import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, verify } from "node:crypto";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import {
  createFakeCarrier,
  createPhoneCaller,
  type FakeCarrier,
  type PhoneDialect,
} from "@pipecat-ts/runner-telephony/caller";
import { api } from "./api.ts";
import { options, type VonageOptions } from "./options.ts";
import { sign, signatures } from "./signature.ts";

/** Calls a runner like Vonage. */
const plugin: CallerPlugin<VonageOptions> = createPhoneCaller({
  name: "vonage",
  title: "Vonage",
  options,
  signatures,
  api,
  createDialect: ({ applicationId = "", privateKey, signatureSecret }) =>
    createDialect({ applicationId, privateKey, signatureSecret }),
});
export default plugin;

/** The account of a fake Vonage. */
export interface VonageAccount {
  readonly applicationId: string;
  /** Without it, the API rejects all requests. */
  readonly privateKey: KeyObject | undefined;
  /** Without it, requests are not signed. */
  readonly signatureSecret: string | undefined;
}

/** An account with a new key. */
export function createVonageAccount(signatureSecret: string): VonageAccount & { readonly privateKey: KeyObject } {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  return { applicationId: randomUUID(), privateKey, signatureSecret };
}

/** A Vonage on this machine, for tests of bots. Its requests are signed with the secret of the account. */
export function createFakeVonage(account: VonageAccount): FakeCarrier {
  return createFakeCarrier(createDialect(account));
}

function createDialect({ applicationId, privateKey, signatureSecret }: VonageAccount): PhoneDialect {
  const publicKey = privateKey && createPublicKey(privateKey);

  function signed(body: string): Readonly<Record<string, string>> {
    return signatureSecret === undefined ? {} : sign(body, signatureSecret);
  }

  function isAuthorized(authorization = ""): boolean {
    const [, token = "", claims = "", signature = ""] =
      /^Bearer ((?:[\w-]+)\.([\w-]+))\.([\w-]+)$/.exec(authorization) ?? [];
    const { application_id } = JSON.parse(Buffer.from(claims, "base64url").toString() || "{}");
    const bytes = Buffer.from(signature, "base64url");
    return application_id === applicationId && !!publicKey && verify("sha256", Buffer.from(token), publicKey, bytes);
  }

  return {
    name: "vonage",
    newIds() {
      const callId = randomUUID();
      return { callId, streamId: callId };
    },
    webhook({ callId, from, to }, url) {
      const fields = { from: from.replace("+", ""), to: to.replace("+", ""), uuid: callId };
      const body = JSON.stringify({ ...fields, conversation_uuid: `CON-${callId}` });
      return { method: "POST", url, headers: { "content-type": "application/json", ...signed(body) }, body };
    },
    socketUrl: ({ text }) => endpointIn(text).uri,
    upgradeHeaders: () => signed(""),
    createFarEnd({ callId, document }) {
      const { "content-type": contentType, headers } =
        document === "" ? { "content-type": "audio/l16;rate=16000", headers: { uuid: callId } } : endpointIn(document);
      const sampleRate = Number(contentType.split("=")[1]);
      return {
        sampleRate,
        frameMs: 20,
        announce: () => [{ event: "websocket:connected", "content-type": contentType, ...headers }],
        audio: encodePcm16,
        digit: (digit) => ({ event: "websocket:dtmf", digit, duration: 260 }),
        played: (mark) => ({ event: "websocket:notify", payload: { mark } }),
        cleared: () => ({ event: "websocket:cleared" }),
        parse({ action, payload }) {
          if (action === "notify") return { mark: (payload as { mark: string }).mark };
          return action === "clear" ? { clear: true } : { protocolError: `the action is ${action}` };
        },
        parseBinary(bytes) {
          if (bytes.length !== sampleRate / 25) return { protocolError: `a message of ${bytes.length} bytes` };
          return { audio: { samples: decodePcm16(bytes), sampleRate } };
        },
      };
    },
    api({ method, path, headers, body, isLive }) {
      const [, callId = "", action] = /^\/v1\/calls\/([^/]+)(\/dtmf)?$/.exec(path) ?? [];
      if (!isAuthorized(headers.authorization)) return { status: 401 };
      if (method !== "PUT" || !isLive(callId)) return { status: 404 };
      if (action !== undefined) return { status: 200, body: '{"message":"DTMF sent"}' };
      return /"action":"(hangup|transfer)"/.test(body) ? { status: 204, ends: callId } : { status: 400 };
    },
  };
}

/** The WebSocket endpoint of an NCCO. */
function endpointIn(ncco: string): { readonly uri: string; readonly "content-type": string; readonly headers: object } {
  try {
    return JSON.parse(ncco)[0].endpoint[0];
  } catch {
    throw new Error(`Vonage cannot use the reply ${ncco}`);
  }
}
