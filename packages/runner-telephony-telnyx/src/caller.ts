import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from "node:crypto";
import { decodeAlaw, decodeMulaw, decodePcm16, encodeAlaw, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import {
  createFakeCarrier,
  createPhoneCaller,
  type FakeCarrier,
  type PhoneDialect,
} from "@pipecat-ts/runner-telephony/caller";
import * as Type from "typebox";
import { api } from "./api.ts";
import { options, type TelnyxOptions, wideSampleRate } from "./options.ts";
import { openOpus } from "./opus.ts";
import { signatures } from "./signature.ts";

/** Telnyx alone has the private key of an account. A key pair of your own, for runner and caller, signs calls all the same. */
interface TelnyxCallerOptions extends TelnyxOptions {
  readonly privateKey: KeyObject | undefined;
}

/** Calls a runner like Telnyx. */
const plugin: CallerPlugin<TelnyxCallerOptions> = createPhoneCaller<TelnyxCallerOptions>({
  name: "telnyx",
  title: "Telnyx",
  options: {
    ...options,
    privateKey: {
      env: "TELNYX_PRIVATE_KEY",
      description: "Private key that signs the webhooks of pipecat-runner call, in place of Telnyx's",
      schema: Type.Unsafe<KeyObject>(Type.Object({}, { description: "an Ed25519 key as PKCS #8 in base64" })),
      parse: (text) => createPrivateKey({ key: Buffer.from(text, "base64"), format: "der", type: "pkcs8" }),
      secret: true,
    },
  },
  signatures: { ...signatures, fix: "Set TELNYX_PRIVATE_KEY, and its public key for the runner." },
  api,
  canSign: ({ privateKey }) => privateKey !== undefined,
  createDialect: ({ apiKey = "", publicKey = "", privateKey, codec }) =>
    createDialect({ apiKey, publicKey, privateKey }, codec === "PCMA" ? "PCMU" : codec),
});
export default plugin;

/** The account of a fake Telnyx. */
export interface TelnyxAccount {
  readonly apiKey: string;
  /** Verifies its webhooks, in the format of the portal. */
  readonly publicKey: string;
  /** Without it, webhooks are not signed. */
  readonly privateKey: KeyObject | undefined;
}

/** An account with new keys. */
export function createTelnyxAccount(apiKey: string): TelnyxAccount & { readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const spki = publicKey.export({ format: "der", type: "spki" });
  return { apiKey, privateKey, publicKey: spki.subarray(-32).toString("base64") };
}

/** The codec of a caller's leg. L16 is little-endian, at 16,000 Hz, and so is the audio that Opus carries. */
export type TelnyxLeg = "PCMU" | "PCMA" | "L16" | "OPUS";

/** A Telnyx on this machine, for tests of bots. `leg` is the codec of the caller's leg. */
export function createFakeTelnyx(account: TelnyxAccount, leg: TelnyxLeg = "PCMU"): FakeCarrier {
  return createFakeCarrier(createDialect(account, leg));
}

function createDialect({ apiKey, privateKey }: TelnyxAccount, leg: TelnyxLeg): PhoneDialect {
  function signed(body: string): Readonly<Record<string, string>> {
    if (privateKey === undefined) return {};
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = sign(null, Buffer.from(`${timestamp}|${body}`), privateKey).toString("base64");
    return { "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature };
  }
  return {
    name: "telnyx",
    newIds: () => ({ callId: `v3:${randomBytes(40).toString("base64url")}`, streamId: randomUUID() }),
    webhook({ callId, from, to }, url) {
      const body = new URLSearchParams({ AccountSid: "account-1", CallSid: callId, From: from, To: to }).toString();
      const headers = { "content-type": "application/x-www-form-urlencoded", ...signed(body) };
      return { method: "POST", url, headers, body };
    },
    socketUrl({ text }) {
      const [, url, rest = ""] = /<Connect><Stream url="([^"]+)"([^>]*)>/.exec(text) ?? [];
      if (url === undefined) throw new Error(`Telnyx cannot use the reply ${text}`);
      if (!rest.includes('bidirectionalMode="rtp"'))
        throw new Error(`Telnyx accepts only MP3 without bidirectionalMode: ${text}`);
      return url.replaceAll("&amp;", "&");
    },
    async createFarEnd({ callId, streamId, from, to, document }) {
      const [, codec = "PCMU"] = /bidirectionalCodec="(PCMA|L16|OPUS)"/.exec(document) ?? [];
      const botSampleRate = Number(/bidirectionalSamplingRate="(\d+)"/.exec(document)?.[1] ?? 8_000);
      const opus = leg === "OPUS" || codec === "OPUS" ? openOpus() : undefined;
      await opus?.ready;
      const decodeOpus = (packet: Buffer) => opus?.decode(packet) ?? new Int16Array();
      const encodeOpus = (samples: Int16Array) => opus?.encode(samples) ?? new Uint8Array();
      const decode = { PCMU: decodeMulaw, PCMA: decodeAlaw, L16: decodePcm16, OPUS: decodeOpus }[codec as TelnyxLeg];
      const encode = { PCMU: encodeMulaw, PCMA: encodeAlaw, L16: encodePcm16, OPUS: encodeOpus }[leg];
      const sampleRate = { PCMU: 8_000, PCMA: 8_000, L16: wideSampleRate, OPUS: wideSampleRate }[leg];
      let sequence = 0;
      let chunk = 0;
      const message = (event: string, fields: object) => ({
        event,
        sequence_number: String(++sequence),
        stream_id: streamId,
        ...fields,
      });
      return {
        sampleRate,
        frameMs: 20,
        announce: () => [
          { event: "connected", version: "1.0.0" },
          message("start", {
            start: {
              user_id: "user-1",
              call_control_id: callId,
              call_session_id: `session of ${callId}`,
              from,
              to,
              media_format: { encoding: leg, sample_rate: sampleRate, channels: 1 },
            },
          }),
        ],
        audio(samples) {
          const payload = Buffer.from(encode(samples)).toString("base64");
          const timestamp = String(20 * chunk++);
          return message("media", { media: { track: "inbound", chunk: String(chunk), timestamp, payload } });
        },
        digit: (digit) => message("dtmf", { occurred_at: "2026-01-01T00:00:00Z", dtmf: { digit } }),
        played: (name) => message("mark", { mark: { name } }),
        ...(opus && { close: opus.close }),
        stop: () => message("stop", { stop: { user_id: "user-1", call_control_id: callId } }),
        parse({ event, media, mark }) {
          if (event === "clear") return { clear: true };
          if (event === "mark") return { mark: (mark as { name: string }).name };
          const bytes = Buffer.from(String((media as { payload?: unknown } | undefined)?.payload ?? ""), "base64");
          if (event !== "media") return rejection("malformed_frame");
          const samples = decode(bytes);
          // 20 ms to 30 s of audio.
          if (samples.length < botSampleRate / 50 || samples.length > 30 * botSampleRate)
            return rejection("invalid_media");
          return { audio: { samples, sampleRate: botSampleRate } };
        },
      };

      function rejection(title: string) {
        return {
          protocolError: title,
          reply: { event: "error", stream_id: streamId, payload: { code: 100_002, title } },
        };
      }
    },
    api({ method, path, headers, isLive }) {
      const [, id = "", action] = /^\/v2\/calls\/([^/]+)\/actions\/(\w+)$/.exec(path) ?? [];
      const callId = decodeURIComponent(id);
      if (headers.authorization !== `Bearer ${apiKey}`) return { status: 401, body: '{"errors":[{"code":"10009"}]}' };
      if (method !== "POST" || action === undefined) return { status: 404, body: '{"errors":[{"code":"10005"}]}' };
      if (!isLive(callId))
        return { status: 422, body: '{"errors":[{"code":"90018","title":"Call has already ended"}]}' };
      return { status: 200, body: '{"data":{"result":"ok"}}', ...(action === "send_dtmf" ? {} : { ends: callId }) };
    },
  };
}
