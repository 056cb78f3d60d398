import type { PeerCallerOptions } from "../werift/peer-caller.ts";

/**
 * For tests: werift offers and accepts what another client would. `shape` is the client's offer. werift keeps its own ICE and
 * DTLS parameters, and sends and receives the client's audio and data. The client's video stays without packets.
 */

/** The client's offer, with the parameters of werift's own. A client whose offer has no candidates stays without. */
function offerInShape(shape: string, weriftOffer: string): string {
  const own = (pattern: RegExp): string => weriftOffer.match(pattern)?.[0] ?? "";
  const theirSource = shape.slice(shape.indexOf("m=audio")).match(/^a=ssrc:\d+/m)?.[0];
  const candidates = weriftOffer.match(/^a=candidate:\S+ 1 udp \d+ [\d.]+ \d+ typ host/gm) ?? [];
  return shape
    .replace(/^a=candidate:.*/m, "a=candidates")
    .replaceAll(/^a=candidate:.*\r?\n/gm, "")
    .replace(/^a=candidates/m, candidates.join("\r\n"))
    .replaceAll(/^a=fingerprint:sha-(384|512) .*\r?\n/gm, "")
    .replaceAll(/^a=fingerprint:.*/gm, own(/^a=fingerprint:sha-256 .*/m))
    .replaceAll(/^a=ice-ufrag:.*/gm, own(/^a=ice-ufrag:.*/m))
    .replaceAll(/^a=ice-pwd:.*/gm, own(/^a=ice-pwd:.*/m))
    .replaceAll(`${theirSource} `, `${own(/^a=ssrc:\d+/m)} `);
}

/** The options of a caller that calls like the client with this offer. It decides payload type, data channel and ICE lite. */
export function optionsOfShape(shape: string): PeerCallerOptions {
  return {
    rewriteOffer: (weriftOffer) => offerInShape(shape, weriftOffer),
    rewriteAnswer: answerForWerift,
    payloadType: Number(shape.match(/^a=rtpmap:(\d+) opus/m)?.[1]),
    dataChannel: /^m=application/m.test(shape),
    iceLite: /^a=ice-lite/m.test(shape),
  };
}

/** The answer to the client's offer as the answer to werift's: the sections of audio and data. */
function answerForWerift(answer: string): string {
  const [head = "", ...sections] = answer.split(/^(?=m=)/m);
  const served = ["m=audio", "m=application"].flatMap((media) => sections.find((each) => each.startsWith(media)) ?? []);
  const candidates = (answer.match(/^a=candidate:.*\r\n/gm) ?? []).join("");
  const rewritten = served.map((section, mid) =>
    section
      .replaceAll(/^a=(mid|candidate):.*\r\n/gm, "")
      .replace(/RTP\/SAVP /, "RTP/SAVPF ")
      .replace(/^c=.*\r\n/m, (line) => `${line}a=mid:${mid}\r\n${mid === 0 ? candidates : ""}`),
  );
  const group = `a=group:BUNDLE ${[...served.keys()].join(" ")}\r\n`;
  return [head.replace(/^a=group:.*\r\n/m, ""), group, ...rewritten].join("");
}
