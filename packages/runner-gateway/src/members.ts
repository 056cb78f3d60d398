import type { SessionTable } from "./session-table.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** A worker for one request. */
export interface Place {
  readonly worker: WorkerProcess;
  /** The request is over, or its session has begun. Later calls have no effect. */
  release(): void;
}

/** A worker of a pool. */
export interface Member {
  readonly process: WorkerProcess;
  /** `retiring`: it gets no new sessions. `closing`: it was told to exit. `discarded`: it was killed before it was ready. */
  state: "starting" | "ready" | "retiring" | "closing" | "discarded";
  readonly generation: number;
  /** Requests in progress that may still begin a session, oldest first; true for those that asked for a place. */
  readonly holds: Map<symbol, boolean>;
  sessionsBegun: number;
  /** Whether it was reported that it does not become ready. */
  isSlow?: boolean;
  idleSinceMs: number;
  timer?: NodeJS.Timeout;
}

/** The workers of a pool, and how busy they are. */
export interface Members {
  add(member: Member): void;
  remove(member: Member): void;
  get(number: number): Member | undefined;
  all(): Member[];
  inState(...states: readonly Member["state"][]): Member[];
  /** Its sessions, and requests in progress that may begin one. */
  load(member: Member): number;
  /** Its sessions, and the callers who will have one. Other requests, such as those for a page, do not count. */
  taken(member: Member): number;
  total(count: (member: Member) => number): number;
  /** A ready worker with a free place by this count: the one with most sessions, so that others become idle. */
  freest(count: (member: Member) => number): Member | undefined;
  /** Counts a request in progress. `isPlace`: it asked for a place. */
  hold(member: Member, isPlace: boolean): Place;
}

/** `released`: a request in progress has ended. */
export function createMembers(sessions: SessionTable, workerSessions: number, released: () => void): Members {
  const members = new Map<number, Member>();

  function load({ process: { number }, holds }: Member): number {
    return sessions.count(number) + holds.size;
  }

  function taken({ process: { number }, holds }: Member): number {
    return sessions.count(number) + [...holds.values()].filter(Boolean).length;
  }

  function inState(...states: readonly Member["state"][]): Member[] {
    return [...members.values()].filter(({ state }) => states.includes(state));
  }

  return {
    add: (member) => void members.set(member.process.number, member),
    remove: (member) => void members.delete(member.process.number),
    get: (number) => members.get(number),
    all: () => [...members.values()],
    inState,
    load,
    taken,
    total: (count) => [...members.values()].reduce((sum, member) => sum + count(member), 0),
    freest: (count) =>
      inState("ready")
        .filter((member) => !member.process.isSilent && count(member) < workerSessions)
        .sort((one, two) => count(two) - count(one))[0],
    hold(member, isPlace) {
      const key = Symbol("request");
      member.holds.set(key, isPlace);
      return {
        worker: member.process,
        release() {
          if (member.holds.delete(key)) released();
        },
      };
    },
  };
}
