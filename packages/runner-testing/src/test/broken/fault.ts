import type { TransportAdapter } from "../../adapter.ts";

/** One thing that a broken toy does wrong. */
export interface Fault {
  /** As in: a toy that … */
  readonly does: string;
  /** The ids of the requirements that it does not meet; it meets all others. */
  readonly breaks: readonly string[];
  /** The broken toy. `cleanUp` calls back when it is no longer needed. */
  adapter(cleanUp: (release: () => void) => void): TransportAdapter;
}
