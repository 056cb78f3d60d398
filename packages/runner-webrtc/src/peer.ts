import type { EngineLine } from "./engine.ts";
import type { Peer, PeerListener, PeerOptions, RemoteCandidate } from "./peer-contract.ts";

export type * from "./peer-contract.ts";

/**
 * A peer that waits for its offer. It holds no socket and no timer until then; the engine is loaded at the first offer,
 * if `warmUp` did not do it before.
 */
export function createPeer(options: PeerOptions, listener: PeerListener): Peer {
  const early: RemoteCandidate[] = [];
  let line: EngineLine | undefined;
  let closing: Promise<void> | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function answer(offerSdp: string): Promise<string> {
    const { openLine } = await import("./engine.ts");
    if (closing !== undefined) throw new Error("The peer is closed.");
    line ??= openLine(options, listener);
    const answerSdp = await line.answer(offerSdp);
    for (const candidate of early.splice(0)) line.addCandidate(candidate);
    return answerSdp;
  }

  return {
    get state() {
      return closing === undefined ? (line?.state ?? "new") : "closed";
    },
    answer(offerSdp) {
      const answered = queue.then(() => answer(offerSdp));
      queue = answered.catch(() => undefined);
      return answered;
    },
    addCandidate(candidate) {
      if (line === undefined) early.push(candidate);
      else line.addCandidate(candidate);
    },
    sendAudio: (payload, timestamp) => line?.sendAudio(payload, timestamp),
    sendText(text) {
      if (line === undefined) throw new Error("The caller has no data channel open.");
      line.sendText(text);
    },
    get bufferedBytes() {
      return line?.bufferedBytes ?? 0;
    },
    get maxMessageBytes() {
      return line?.maxMessageBytes ?? 65_536;
    },
    close() {
      closing ??= queue.then(() => line?.close());
      return closing;
    },
  };
}

/** Does once what is slow the first time: module graph, certificate, negotiation, handshake. Leaves no socket or timer. */
export async function warmUp(): Promise<void> {
  await import("./engine.ts");
}
