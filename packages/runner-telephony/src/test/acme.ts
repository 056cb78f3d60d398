import { createHmac } from "node:crypto";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions } from "../carrier.ts";
import { dtmfEvent, playedEvent } from "../codec.ts";
import { equalInSecret } from "../guard.ts";
import { bytesIn, type JsonObject, numberIn, objectIn, present, textIn, textsIn } from "../json.ts";
import { apiPath, apiUrlOption, environmentOption, verifySignaturesOption } from "../options.ts";
import { element, xmlDocument } from "../xml.ts";

/** For tests: a fifth carrier, the least that one can be. */
export interface AcmeOptions extends CarrierOptions {
  readonly key: string | undefined;
  readonly apiUrl: string;
}

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
    },
    wire: {
      recogniseCall(message) {
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
            const at = { atMs: numberIn(message, "at"), order: numberIn(message, "order") };
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
      recogniseCall: ({ call, from, to, state }) =>
        call === undefined ? undefined : { callId: call, over: state === "over", callData: present({ from, to }) },
      answer: ({ socketUrl }) => xmlDocument(element("Go", { to: socketUrl().href })),
      busy: xmlDocument(element("Busy")),
      over: xmlDocument(element("Bye")),
    },
    signatures: {
      coverUrl: true,
      fix: "Set ACME_KEY.",
      secret: ({ key }) => key,
      verifyWebhook: ({ url, rawBody, headers }, key) =>
        equalInSecret(String(headers["x-acme"]), signAcme(url, rawBody.toString("utf8"), key)),
      verifyUpgrade({ url, headers }, key) {
        if (headers["x-acme"] === undefined) return "none";
        return equalInSecret(String(headers["x-acme"]), signAcme(url, "", key)) ? "genuine" : "forged";
      },
    },
    api: {
      isReady: ({ key }) => key !== undefined,
      fix: "Set ACME_KEY.",
      hangUp: ({ callId }, { apiUrl, key }) => ({
        method: "DELETE",
        url: apiPath(apiUrl, "calls", callId),
        headers: { authorization: `Bearer ${key}` },
        isDone: (status) => status === 404,
      }),
      transfer: ({ callId }, number, { apiUrl, key }) => ({
        method: "POST",
        url: apiPath(apiUrl, "calls", callId, "transfer"),
        headers: { authorization: `Bearer ${key}` },
        body: number,
      }),
    },
    setUp: (webhookUrl, socketUrl) => `Acme calls ${webhookUrl.href} or ${socketUrl.href}`,
  };
}

function readFormat(message: JsonObject) {
  if (message.format === undefined) return { callerSampleRate: 8_000, botSampleRate: 8_000 };
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", "The call has another format.", { fix: "Name none." });
}
