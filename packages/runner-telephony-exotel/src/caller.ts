import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import {
  createFakeCarrier,
  createPhoneCaller,
  type FakeCarrier,
  type PhoneDialect,
} from "@pipecat-ts/runner-telephony/caller";

import { type ExotelOptions, options } from "./options.ts";
import { signatures } from "./signature.ts";

/** Calls a runner like Exotel, whose applet requests the webhook. */
const plugin: CallerPlugin<ExotelOptions> = createPhoneCaller({
  name: "exotel",
  title: "Exotel",
  options,
  signatures,
  createDialect: ({ apiKey, apiToken, sampleRate }) =>
    createDialect(apiKey === undefined || apiToken === undefined ? undefined : { apiKey, apiToken }, {
      dynamic: true,
      sampleRate,
    }),
});
export default plugin;

/** The account of a fake Exotel. */
export interface ExotelAccount {
  readonly apiKey: string;
  readonly apiToken: string;
}

/** The settings of the applet of a fake Exotel. */
export interface ExotelApplet {
  /** Whether the applet has the webhook URL instead of the socket URL. Default false. */
  readonly dynamic?: boolean;
  /** Sample rate in Hz with the socket URL. Default 8,000. */
  readonly sampleRate?: 8_000 | 16_000 | 24_000;
}

/** An Exotel on this machine, for tests of bots. Without an account, it sends no credentials. */
export function createFakeExotel(account?: ExotelAccount, applet: ExotelApplet = {}): FakeCarrier {
  return createFakeCarrier(createDialect(account, applet));
}

function createDialect(account: ExotelAccount | undefined, applet: ExotelApplet): PhoneDialect {
  const credentials = account && Buffer.from(`${account.apiKey}:${account.apiToken}`).toString("base64");
  const headers: Readonly<Record<string, string>> = credentials ? { authorization: `Basic ${credentials}` } : {};
  const dynamic: Pick<PhoneDialect, "webhook" | "socketUrl"> = {
    webhook({ callId, from, to }, url) {
      const fields = { CallSid: callId, CallFrom: from, CallTo: to, Direction: "incoming" };
      for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
      return { method: "GET", url, headers };
    },
    socketUrl({ json, text }) {
      const { url } = (json ?? {}) as { readonly url?: unknown };
      if (typeof url !== "string") throw new Error(`Exotel cannot use the reply ${text}`);
      return url;
    },
  };
  return {
    name: "exotel",
    ...(applet.dynamic ? dynamic : {}),
    upgradeHeaders: () => (applet.dynamic ? {} : headers),
    createFarEnd({ callId, streamId, from, to, document }) {
      const requested = /sample-rate=(\d+)/.exec(document)?.[1];
      const sampleRate = requested === undefined ? (applet.sampleRate ?? 8_000) : Number(requested);
      let sequence = 0;
      let chunk = 0;
      const message = (event: string, fields: object) => ({
        event,
        sequence_number: String(++sequence),
        stream_sid: streamId,
        ...fields,
      });
      return {
        sampleRate,
        frameMs: 100,
        announce: () => [
          { event: "connected" },
          message("start", {
            start: {
              stream_sid: streamId,
              call_sid: callId,
              account_sid: "account-1",
              from,
              to,
              custom_parameters: {},
              media_format: { encoding: "base64", sample_rate: String(sampleRate), bit_rate: "128kbps" },
            },
          }),
        ],
        audio(samples) {
          const payload = Buffer.from(encodePcm16(samples)).toString("base64");
          const timestamp = String(100 * chunk++);
          return message("media", { media: { chunk: String(chunk), timestamp, payload } });
        },
        digit: (digit) => message("dtmf", { dtmf: { digit, duration: "100" } }),
        played: (name) => message("mark", { mark: { name } }),
        cleared: () => message("clear", {}),
        stop: () => message("stop", { stop: { call_sid: callId, account_sid: "account-1", reason: "callended" } }),
        parse({ event, stream_sid, media, mark }) {
          if (stream_sid !== streamId) return { protocolError: `the stream_sid is ${stream_sid}` };
          if (event === "clear") return { clear: true };
          if (event === "mark") return { mark: (mark as { name: string }).name };
          const bytes = Buffer.from(String((media as { payload?: unknown } | undefined)?.payload ?? ""), "base64");
          const audio = { samples: decodePcm16(bytes), sampleRate };
          const isValid = bytes.length % 320 === 0 && bytes.length >= 3_200 && bytes.length <= 100_000;
          return event === "media" && isValid
            ? { audio }
            : { audio, protocolError: `${event} of ${bytes.length} bytes` };
        },
      };
    },
  };
}
