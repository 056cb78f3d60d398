import type { TransportAdapter } from "./adapter.ts";
import type { Stage } from "./stage.ts";

/** One thing that every transport must do, as data: docs print it, tests run it. */
export interface Requirement {
  /** Stable, for reports: `AUDIO-IN-1`. */
  readonly id: string;
  /** What must hold, as a sentence. */
  readonly title: string;
  /** Whom it would hurt if it did not. */
  readonly reason: string;
  /** Looks at the whole process, so nothing else may run in it meanwhile. */
  readonly alone?: boolean;
  /** Why it does not concern this transport, if it does not. */
  exempts?(adapter: TransportAdapter): string | undefined;
  /** Throws, `Unmet` where it can say what was wrong, when it does not hold. */
  check(stage: Stage): Promise<void>;
}
