import { AsyncLocalStorage } from "node:async_hooks";
import type { Session } from "@pipecat-ts/runner-core";

/** Tells in whose behalf code runs, however many turns of the event loop later. */
export interface SessionScope {
  run<Result>(session: Session, work: () => Result): Result;
  /** See `Sessions.current`. */
  current(): Session | undefined;
}

export function createSessionScope(): SessionScope {
  const storage = new AsyncLocalStorage<Session>();
  return {
    run(session, work) {
      return storage.run(session, work);
    },
    current() {
      return storage.getStore();
    },
  };
}
