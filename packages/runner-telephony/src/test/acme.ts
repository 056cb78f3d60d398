import { createHmac } from "node:crypto";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { RunnerError, safeEqual } from "@pipecat-ts/runner-core";
import { apiPath } from "../api.ts";
import { createFakeCarrier, type FakeCarrier, type PhoneDialect } from "../caller/index.ts";
import type { CallOutcome, Carrier, CarrierOptions } from "../carrier.ts";
import { dtmfEvent, playedEvent } from "../codec.ts";
import { bytesIn, type JsonObject, numberIn, objectIn, present, textIn, textsIn } from "../json.ts";
import { apiUrlOption, dialOptions, environmentOption, verifySignaturesOption } from "../options.ts";
import { element, xmlDocument } from "../xml.ts";

/** For tests: a minimal fifth carrier. */
export interface AcmeOptions extends CarrierOptions {
  readonly key: string | undefined;
  readonly apiUrl: string;
}

const outcomes: Readonly<Record<string, CallOutcome>> = {
  engaged: "busy",
  unanswered: "no-answer",
  broken: "failed",
  robot: "machine",
  over: "completed",
};

export function signAcme(url: string, body: string, key: string): string {
  return createHmac("sha256", key).update(`${url}\n${body}`).digest("hex");
}

export function createAcme(name = "acme"): Carrier<AcmeOptions> {
  const head = (id: string) => `{"event":"media","stream":${JSON.stringify(id)},"payload":"`;
  return {
    name,
    title: "Acme",
    options: {
      key: environmentOption("ACME_KEY", "The key", { secret: true }),
      apiUrl: apiUrlOption("ACME_API_URL", "https://api.acme.example"),
      verifySignatures: verifySignaturesOption(),
      ...dialOptions(),
    },
    ids: { call: /^[\w-]{1,64}$/, stream: /^[\w-]{1,64}$/ },
    wire: {
      earlyEvents: ["connected", "media"],
      recognizeCall(message) {
        if (message.explode === "start") throw new TypeError("this carrier is broken");
        const [streamId, callId] = [textIn(message, "stream"), textIn(objectIn(message, name), "call")];
        if (message.event !== "start" || streamId === undefined || callId === undefined) return undefined;
        return { streamId, callId, ...present({ body: textsIn(message, "custom") }) };
      },
      createCodec: (message, { streamId }) => ({
        ...readFormat(message),
        decode(message) {
          if (message.explode === true) throw new TypeError("this codec is broken");
          const bytes = bytesIn(message, "payload");
          if (message.event === "media" && bytes) {
            const at = { timestampMs: numberIn(message, "at"), sequence: numberIn(message, "order") };
            return { kind: "audio", samples: decodePcm16(bytes), ...at };
          }
          if (message.event === "mark") return playedEvent(textIn(message, "name"));
          if (message.event === "key") return dtmfEvent(textIn(message, "digit"));
          if (message.event === "error") return { kind: "error", title: String(message.title) };
          return message.event === "stop" ? { kind: "stop" } : undefined;
        },
        encodeAudio: (samples) => `${head(streamId)}${Buffer.from(encodePcm16(samples)).toString("base64")}"}`,
        encodeMark: (mark) => JSON.stringify({ event: "mark", name: mark }),
        encodeClear: () => '{"event":"clear"}',
      }),
    },
    webhook: {
      recognizeCall: ({ call, from, to, state }) =>
        call === undefined ? undefined : { callId: call, ended: state === "over", callData: present({ from, to }) },
      answer: ({ socketUrl }) => xmlDocument(element("Go", { to: socketUrl().href })),
      busy: xmlDocument(element("Busy")),
      ended: xmlDocument(element("Bye")),
    },
    signatures: {
      covers: "url",
      fix: "Set ACME_KEY.",
      secret: ({ key }) => key,
      sign: ({ url, form }, key) => ({ "x-acme": signAcme(url, form.toString(), key) }),
      verifyWebhook: ({ url, rawBody, headers }, key) =>
        safeEqual(String(headers["x-acme"]), signAcme(url, rawBody, key)),
      verifyUpgrade({ url, headers }, key) {
        if (headers["x-acme"] === undefined) return "missing";
        return safeEqual(String(headers["x-acme"]), signAcme(url, "", key)) ? "valid" : "invalid";
      },
    },
    api: {
      isReady: ({ key }) => key !== undefined,
      fixes: ["Set ACME_KEY."],
      probe: ({ apiUrl, key }) => ({
        method: "GET",
        url: apiPath(apiUrl, "account"),
        headers: { authorization: `Bearer ${key}` },
      }),
      hangUp: ({ callId }, { apiUrl, key }) => ({
        method: "DELETE",
        url: apiPath(apiUrl, "calls", callId),
        headers: { authorization: `Bearer ${key}` },
        isDone: ({ status }) => status === 404,
      }),
      transfer: ({ callId }, { number }, { apiUrl, key }) => ({
        method: "POST",
        url: apiPath(apiUrl, "calls", callId, "transfer"),
        headers: { authorization: `Bearer ${key}` },
        body: number,
      }),
    },
    dialing: {
      request: ({ to, from, answerUrl, statusUrl, ringSeconds, machineDetection }, { apiUrl, key }) => ({
        method: "POST",
        url: apiPath(apiUrl, "calls"),
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ to, from, answer: answerUrl, status: statusUrl, ringSeconds, machineDetection }),
      }),
      placedId: (answer) => textIn(answer, "call"),
      outcome: ({ state = "" }) => outcomes[state],
      hangUp: xmlDocument(element("Bye")),
    },
    banner: (webhookUrl, socketUrl) => `Acme calls ${webhookUrl.href} or ${socketUrl.href}`,
  };
}

function readFormat(message: JsonObject) {
  if (message.format === undefined) return { callerSampleRate: 8_000, botSampleRate: 8_000 };
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", "The call uses another format.", { fix: "Leave the format out." });
}

/** For tests: the fifth carrier itself, which places calls. */
export function createAcmePhone(name?: string, key?: string): FakeCarrier {
  return createFakeCarrier(createAcmeDialect(name, key));
}

export function createAcmeDialect(name = "acme", key = "a key"): PhoneDialect {
  return {
    name,
    webhook({ callId, from, to }, url) {
      const body = new URLSearchParams({ call: callId, from, to }).toString();
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-acme": signAcme(url.href, body, key),
      };
      return { method: "POST", url, headers, body };
    },
    socketUrl({ text }) {
      const url = /<Go to="([^"]+)"/.exec(text)?.[1];
      if (url === undefined) throw new Error(`Acme was answered ${text}`);
      return url;
    },
    upgradeHeaders: (url) => ({ "x-acme": signAcme(url.href.replace(/^ws/, "http"), "", key) }),
    createFarEnd({ streamId, callId }) {
      let order = 0;
      return {
        sampleRate: 8_000,
        frameMs: 20,
        announce: () => [{ event: "start", stream: streamId, [name]: { call: callId } }],
        audio(samples) {
          const payload = Buffer.from(encodePcm16(samples)).toString("base64");
          return { event: "media", at: 20 * order, order: order++, payload };
        },
        digit: (digit) => ({ event: "key", digit }),
        played: (mark) => ({ event: "mark", name: mark }),
        stop: () => ({ event: "stop" }),
        parse({ event, payload, name: mark }) {
          if (event === "clear") return { clear: true };
          if (event === "mark") return { mark: String(mark) };
          const samples = decodePcm16(Buffer.from(String(payload), "base64"));
          return event === "media" ? { audio: { samples, sampleRate: 8_000 } } : { protocolError: String(event) };
        },
      };
    },
    api({ method, path, headers, isLive }) {
      const [, callId = "", act] = /^\/calls\/([^/]+)(\/transfer)?$/.exec(path) ?? [];
      if (headers.authorization !== `Bearer ${key}`) return { status: 401 };
      if (!isLive(callId) || (method === "POST") !== (act !== undefined)) return { status: 404 };
      return { status: 200, ends: callId };
    },
  };
}
