import type { Logger } from "@pipecat-ts/runner-core";
import type { Directory, NodeReport } from "./directory.ts";

/** The time between two beats, in ms, give or take a fifth: beats of nodes that started together must not stay together. */
const beatMs = 1_000;
/** How long the directory keeps a node that does not beat any more, in ms. */
const leaseMs = 5_000;
/** How long a node may be missing from the directory before it is forgotten, in ms: after a restart, a directory is empty at first. */
const missingMs = 3_000;
/** The log says this often that the directory does not answer, in ms. */
const warnMs = 60_000;

/** The other nodes. */
export interface Membership {
  readonly nodes: ReadonlyMap<string, NodeReport>;
  /** Whether the directory answered the last time. */
  readonly isReachable: boolean;
  /** Begins to beat. Resolves after the first beat; never rejects. */
  join(report: () => NodeReport): Promise<void>;
  /** Beats now. Never rejects. */
  beat(): Promise<void>;
  /** The directory did not answer another question. */
  failed(err: unknown): void;
  leave(): Promise<void>;
}

/**
 * Keeps the table of nodes. While the directory does not answer, the table stays as it is: nodes that are gone refuse connections.
 *
 * `onBeat` is called after each successful beat. `mayHaveLost`: the directory may have lost its data, because the beat before failed, or
 * because it did not know this node.
 */
export function createMembership(
  directory: Directory,
  logger: Logger,
  onBeat: (mayHaveLost: boolean) => void,
): Membership {
  const nodes = new Map<string, NodeReport>();
  /** When a node was first missing, on the clock of `performance.now()`. */
  const missingSince = new Map<string, number>();
  let report: (() => NodeReport) | undefined;
  let isReachable = true;
  let warnAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();

  async function beatOnce(): Promise<void> {
    if (!report) return;
    try {
      const own = report();
      const reports = await directory.beat(own, leaseMs);
      update(own.id, reports);
      const hasLost = !reports.some(({ id }) => id === own.id);
      const isBack = !isReachable;
      isReachable = true;
      warnAtMs = 0;
      if (isBack) logger.info({ nodes: nodes.size + 1 }, "directory of the fleet answers again");
      onBeat(isBack || hasLost);
    } catch (err) {
      failed(err);
    }
  }

  function failed(err: unknown): void {
    isReachable = false;
    missingSince.clear();
    if (performance.now() < warnAtMs) return;
    warnAtMs = performance.now() + warnMs;
    const fix = "Calls and requests continue with the nodes that are known. Start the server of the directory again.";
    logger.warn({ err, nodes: nodes.size, fix }, "directory of the fleet does not answer");
  }

  function update(own: string, reports: readonly NodeReport[]): void {
    const present = new Set<string>();
    for (const each of reports) {
      const { id, address, version } = each;
      if (id === own) continue;
      present.add(id);
      if (!nodes.has(id)) logger.info({ node: id, address, version }, "node joined");
      nodes.set(id, each);
    }
    const nowMs = performance.now();
    for (const [id, { address, active }] of nodes) {
      const sinceMs = missingSince.get(id) ?? nowMs;
      if (present.has(id)) missingSince.delete(id);
      else if (nowMs - sinceMs < missingMs) missingSince.set(id, sinceMs);
      else {
        nodes.delete(id);
        missingSince.delete(id);
        logger.info({ node: id, address, calls: active }, "node left");
      }
    }
  }

  function beat(): Promise<void> {
    clearTimeout(timer);
    beating = beating.then(beatOnce).then(() => {
      clearTimeout(timer);
      if (report) timer = setTimeout(() => void beat(), beatMs * (0.8 + 0.4 * Math.random()));
    });
    return beating;
  }

  return {
    nodes,
    get isReachable() {
      return isReachable;
    },
    async join(own) {
      report = own;
      await beat();
    },
    beat,
    failed,
    async leave() {
      const own = report?.();
      report = undefined;
      clearTimeout(timer);
      await beating;
      if (own) await directory.leave(own.id).catch(failed);
    },
  };
}
