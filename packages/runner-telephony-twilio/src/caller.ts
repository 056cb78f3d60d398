import { randomBytes } from "node:crypto";
import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import {
  createFakeCarrier,
  createPhoneCaller,
  type FakeCarrier,
  type PhoneDialect,
} from "@pipecat-ts/runner-telephony/caller";
import { api } from "./api.ts";
import { options, type TwilioOptions } from "./options.ts";
import { sign, signatures } from "./signature.ts";
import { parseXml, type XmlTree } from "./xml-tree.ts";

/** Calls a runner like Twilio. */
const plugin: CallerPlugin<TwilioOptions> = createPhoneCaller({
  name: "twilio",
  title: "Twilio",
  options,
  signatures,
  api,
  createDialect: ({ accountSid = `AC${hexDigits()}`, authToken }) => createTwilioDialect({ accountSid, authToken }),
});
export default plugin;

/** The account of a fake Twilio. */
export interface TwilioAccount {
  readonly accountSid: string;
  /** Without it, requests are not signed. */
  readonly authToken: string | undefined;
}

/** A Twilio on this machine, for tests of bots. Its requests are signed with the token of the account. */
export function createFakeTwilio(account: TwilioAccount): FakeCarrier {
  return createFakeCarrier(createTwilioDialect(account));
}

/** The protocol of Twilio, for fakes of compatible carriers. */
export function createTwilioDialect({ accountSid, authToken }: TwilioAccount): PhoneDialect {
  function signed(url: string, form: URLSearchParams): Readonly<Record<string, string>> {
    return authToken === undefined ? {} : { "x-twilio-signature": sign(url, form, authToken) };
  }
  return {
    name: "twilio",
    newIds: () => ({ callId: `CA${hexDigits()}`, streamId: `MZ${hexDigits()}` }),
    webhook({ callId, from, to }, url) {
      const fields = { CallSid: callId, AccountSid: accountSid, From: from, To: to, Direction: "inbound" };
      const form = new URLSearchParams({ ...fields, CallStatus: "ringing", ApiVersion: "2010-04-01" });
      const headers = { "content-type": "application/x-www-form-urlencoded", ...signed(url.href, form) };
      return { method: "POST", url, headers, body: form.toString() };
    },
    socketUrl({ text }) {
      const url = URL.parse(streamOf(text)?.attributes.url ?? "");
      if (!url || !/^wss?:$/.test(url.protocol)) throw new Error(`Twilio cannot use the reply ${text}`);
      url.search = ""; // Twilio drops it.
      return url.href;
    },
    upgradeHeaders: ({ href }) => signed(href, new URLSearchParams()),
    createFarEnd({ callId, streamId, document }) {
      let sequence = 0;
      let chunk = 0;
      const next = () => String(++sequence);
      const message = (event: string, fields: object) => ({
        event,
        sequenceNumber: next(),
        streamSid: streamId,
        ...fields,
      });
      return {
        sampleRate: 8_000,
        frameMs: 20,
        announce: () => [
          { event: "connected", protocol: "Call", version: "1.0.0" },
          message("start", {
            start: {
              accountSid,
              streamSid: streamId,
              callSid: callId,
              tracks: ["inbound"],
              mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
              customParameters: parametersOf(document),
            },
          }),
        ],
        audio(samples) {
          const payload = Buffer.from(encodeMulaw(samples)).toString("base64");
          const timestamp = String(20 * chunk++);
          return message("media", { media: { track: "inbound", chunk: String(chunk), timestamp, payload } });
        },
        digit: (digit) => message("dtmf", { dtmf: { track: "inbound_track", digit } }),
        played: (name) => message("mark", { mark: { name } }),
        stop: () => message("stop", { stop: { accountSid, callSid: callId } }),
        parse({ event, streamSid, media, mark }) {
          if (streamSid !== streamId) return { protocolError: `31951: the streamSid is ${streamSid}` };
          if (event === "clear") return { clear: true };
          if (event === "mark") return { mark: (mark as { name: string }).name };
          if (event !== "media") return { protocolError: `31951: the event is ${event}` };
          const bytes = Buffer.from((media as { payload: string }).payload, "base64");
          return { audio: { samples: decodeMulaw(bytes), sampleRate: 8_000 } };
        },
      };
    },
    api({ method, path, headers, body, isLive }) {
      const callId = new RegExp(`^/2010-04-01/Accounts/${accountSid}/Calls/(.+)\\.json$`).exec(path)?.[1];
      const credentials = Buffer.from(`${accountSid}:${authToken}`).toString("base64");
      if (headers.authorization !== `Basic ${credentials}`) return { status: 401, body: '{"code":20003}' };
      if (method !== "POST" || callId === undefined || !isLive(callId)) return { status: 404, body: '{"code":20404}' };
      const fields = new URLSearchParams(body);
      if (fields.get("Status") === "completed" || fields.has("Twiml")) return { status: 200, body: "{}", ends: callId };
      return { status: 400, body: '{"code":20001}' };
    },
  };
}

/** The `<Stream>` of a document that starts with `<Connect>`; otherwise `undefined`. */
function streamOf(document: string): XmlTree | undefined {
  const response = parseXml(document);
  const connect = elementsOf(response)[0];
  return response.name === "Response" && connect?.name === "Connect"
    ? elementsOf(connect).find(({ name }) => name === "Stream")
    : undefined;
}

function parametersOf(document: string): Readonly<Record<string, string>> {
  const stream = document === "" ? undefined : streamOf(document);
  const parameters = stream ? elementsOf(stream).filter(({ name }) => name === "Parameter") : [];
  return Object.fromEntries(parameters.map(({ attributes: { name = "", value = "" } }) => [name, value]));
}

function elementsOf({ children }: XmlTree): readonly XmlTree[] {
  return children.filter((child) => typeof child !== "string");
}

function hexDigits(): string {
  return randomBytes(16).toString("hex");
}
