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
  /** `retiring`: it gets no new sessions. `closing`: it was told to exit. */
  state: "starting" | "ready" | "retiring" | "closing";
  readonly generation: number;
  /** Requests in progress that may still begin a session, oldest first; true for those that asked for a place. */
  readonly holds: Map<symbol, boolean>;
  sessionsBegun: number;
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
  totalLoad(): number;
  /** Whether it has neither a session nor a caller who will have one. Other requests, such as those for a page, do not count. */
  isEmpty(member: Member): boolean;
  /** A ready worker with a free place: the one with most sessions, so that others become idle. */
  freest(): Member | undefined;
  /** Counts a request in progress. `isPlace`: it asked for a place. */
  hold(member: Member, isPlace: boolean): Place;
}

/** `released`: a request in progress has ended. */
export function createMembers(sessions: SessionTable, workerSessions: number, released: () => void): Members {
  const members = new Map<number, Member>();

  function load({ process: { number }, holds }: Member): number {
    return sessions.count(number) + holds.size;
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
    totalLoad: () => [...members.values()].reduce((sum, member) => sum + load(member), 0),
    isEmpty: ({ process: { number }, holds }) => sessions.count(number) === 0 && ![...holds.values()].includes(true),
    freest: () =>
      inState("ready")
        .filter((member) => !member.process.isSilent && load(member) < workerSessions)
        .sort((one, two) => load(two) - load(one))[0],
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
