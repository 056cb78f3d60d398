import { randomUUID } from "node:crypto";
import { decodeMulaw, decodePcm16, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import {
  createFakeCarrier,
  createPhoneCaller,
  type FakeCarrier,
  type PhoneDialect,
} from "@pipecat-ts/runner-telephony/caller";
import { api } from "./api.ts";
import { options, type PlivoOptions } from "./options.ts";
import { sign, signatures } from "./signature.ts";

/** Calls a runner like Plivo. */
const plugin: CallerPlugin<PlivoOptions> = createPhoneCaller({
  name: "plivo",
  title: "Plivo",
  options,
  signatures,
  api,
  createDialect: ({ authId = "MA0123456789ABCDEFGH", authToken }) => createDialect({ authId, authToken }, "POST"),
});
export default plugin;

/** The account of a fake Plivo. */
export interface PlivoAccount {
  readonly authId: string;
  /** Without it, requests are not signed. */
  readonly authToken: string | undefined;
}

/** A Plivo on this machine, for tests of bots. `method` is the method of the answer URL. */
export function createFakePlivo(account: PlivoAccount, method: "GET" | "POST" = "POST"): FakeCarrier {
  return createFakeCarrier(createDialect(account, method));
}

function createDialect({ authId, authToken }: PlivoAccount, method: "GET" | "POST"): PhoneDialect {
  function signed(verb: string, url: URL, form = new URLSearchParams()): Readonly<Record<string, string>> {
    if (authToken === undefined) return {};
    const nonce = randomUUID();
    const signature = sign(verb, url.href, form, nonce, authToken);
    return { "x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce };
  }
  return {
    name: "plivo",
    newIds: () => ({ callId: randomUUID(), streamId: randomUUID() }),
    webhook({ callId, from, to }, url) {
      const fields = { CallUUID: callId, From: from, To: to, CallStatus: "ringing", Event: "StartApp" };
      const form = new URLSearchParams({ ...fields, Direction: "inbound" });
      if (method === "POST") {
        const headers = { ...signed(method, url, form), "content-type": "application/x-www-form-urlencoded" };
        return { method, url, headers, body: form.toString() };
      }
      for (const [name, value] of form) url.searchParams.append(name, value);
      return { method, url, headers: signed(method, url) };
    },
    socketUrl({ text }) {
      const [, url] = /<Response><Stream [^>]*bidirectional="true"[^>]*>([^<]+)<\/Stream>/.exec(text) ?? [];
      if (url === undefined) throw new Error(`Plivo cannot use the reply ${text}`);
      if (!text.includes('keepCallAlive="true"'))
        throw new Error(`Plivo ends the call at once without keepCallAlive: ${text}`);
      return url.replaceAll("&amp;", "&").trim();
    },
    upgradeHeaders: (url) => signed("GET", new URL(url.href.replace(/^ws/, "http"))),
    createFarEnd({ callId, streamId, document }) {
      const [, type = "audio/x-l16", rate = "8000"] = /contentType="([^;"]+);rate=(\d+)"/.exec(document) ?? [];
      const sampleRate = Number(rate);
      const isMulaw = type === "audio/x-mulaw";
      let sequence = 0;
      let chunk = 0;
      const message = (event: string, fields: object) => ({ event, sequenceNumber: ++sequence, streamId, ...fields });
      return {
        sampleRate,
        frameMs: 20,
        announce: () => [
          {
            event: "start",
            sequenceNumber: ++sequence,
            start: {
              callId,
              streamId,
              accountId: authId,
              tracks: ["inbound"],
              mediaFormat: { encoding: type, sampleRate },
            },
            extra_headers: "",
          },
        ],
        audio(samples) {
          const payload = Buffer.from(isMulaw ? encodeMulaw(samples) : encodePcm16(samples)).toString("base64");
          const timestamp = String(1_760_000_000_000 + 20 * chunk++);
          return message("media", { media: { track: "inbound", timestamp, chunk, payload }, extra_headers: "" });
        },
        digit: (digit) => message("dtmf", { dtmf: { track: "inbound", digit, timestamp: "1760000000000" } }),
        played: (name) => message("playedStream", { name }),
        cleared: () => message("clearedAudio", {}),
        parse({ event, streamId: id, name, media, dtmf }) {
          if (event === "playAudio") return parseAudio(media as Readonly<Record<string, unknown>>);
          if (event === "sendDTMF" && typeof dtmf === "string") return { digits: dtmf };
          if (id !== streamId) return { protocolError: `the streamId is ${id}` };
          if (event === "clearAudio") return { clear: true };
          return event === "checkpoint" ? { mark: String(name) } : { protocolError: `the event is ${event}` };
        },
      };

      function parseAudio({ contentType, sampleRate: at, payload }: Readonly<Record<string, unknown>>) {
        if (contentType !== type || Number(at) !== sampleRate)
          return { protocolError: `the audio is ${contentType} at ${at}` };
        const bytes = Buffer.from(String(payload), "base64");
        return { audio: { samples: isMulaw ? decodeMulaw(bytes) : decodePcm16(bytes), sampleRate } };
      }
    },
    api({ method: verb, path, headers, isLive }) {
      const callId = new RegExp(`^/v1/Account/${authId}/Call/([^/]+)/$`).exec(path)?.[1];
      const credentials = Buffer.from(`${authId}:${authToken}`).toString("base64");
      if (headers.authorization !== `Basic ${credentials}`) return { status: 401 };
      if (callId === undefined || !isLive(callId)) return { status: 404, body: '{"error":"not found"}' };
      if (verb === "DELETE") return { status: 204, ends: callId };
      return verb === "POST" ? { status: 202, body: '{"message":"call transferred"}', ends: callId } : { status: 405 };
    },
  };
}
