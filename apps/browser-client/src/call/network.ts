/** The quality of a WebRTC connection. Times are in ms; `lossPercent` is from 0 to 100 and covers the last samples. */
export interface NetworkQuality {
  readonly roundTripMs?: number | undefined;
  readonly jitterMs?: number | undefined;
  readonly lossPercent?: number | undefined;
}

/** How often the statistics are read. */
export const sampleEveryMs = 400;
/** Bots send a packet every 20 ms, also while they are silent. Shown as reconnecting after this, so within 2 s. */
const silentAfterMs = 1_400;
/** The samples that the loss covers: about 10 s. */
const lossSamples = 25;

interface Counts {
  readonly received: number;
  readonly lost: number;
}

/** Reads the statistics of one connection, sample by sample. Use a new one for a new connection. */
export class NetworkMonitor {
  #counts: Counts[] = [];
  #receivedAt: number | undefined;

  /** `receivedAt`: when the previous connection received its last packet, in the time of `sample`. */
  constructor(receivedAt?: number) {
    this.#receivedAt = receivedAt;
  }

  get receivedAt(): number | undefined {
    return this.#receivedAt;
  }

  /** Takes the entries of `getStats()` at `atMs`. */
  sample(atMs: number, entries: Iterable<RTCStats>): NetworkQuality & { readonly silent: boolean } {
    let quality: NetworkQuality = {};
    for (const entry of entries as Iterable<Readonly<Record<string, unknown>>>) {
      if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        this.#count(atMs, { received: number(entry.packetsReceived) ?? 0, lost: number(entry.packetsLost) ?? 0 });
        quality = { ...quality, jitterMs: inMs(entry.jitter) };
      }
      if (entry.type === "candidate-pair" && entry.nominated === true && entry.state === "succeeded")
        quality = { ...quality, roundTripMs: inMs(entry.currentRoundTripTime) };
    }
    const silent = this.#receivedAt !== undefined && atMs - this.#receivedAt >= silentAfterMs;
    return { ...quality, lossPercent: this.#lossPercent(), silent };
  }

  #count(atMs: number, counts: Counts): void {
    if (counts.received > (this.#counts.at(-1)?.received ?? 0)) this.#receivedAt = atMs;
    this.#counts = [...this.#counts, counts].slice(-lossSamples);
  }

  #lossPercent(): number | undefined {
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    if (!first || !last) return undefined;
    const lost = Math.max(0, last.lost - first.lost);
    const total = lost + last.received - first.received;
    return total > 0 ? (100 * lost) / total : undefined;
  }
}

function number(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** From seconds. */
function inMs(value: unknown): number | undefined {
  return typeof value === "number" ? value * 1000 : undefined;
}
