import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { createFakeCarrier, type FakeCarrier } from "@pipecat-ts/runner-testing/phone";
import { signAcme } from "./acme.ts";

/** For tests: the fifth carrier's far side. */
export function createAcmePhone(name = "acme", key = "a key"): FakeCarrier {
  return createFakeCarrier({
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
  });
}
