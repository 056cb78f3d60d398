import type { Availability, OpenTransport } from "@pipecat-ts/runner-core";

/** One plugin that was given to the runner, opened or not. */
export interface InstalledTransport {
  readonly name: string;
  readonly availability: Availability;
  /** Whether it is a transport that people may name, running or not. */
  readonly choosable: boolean;
  /** Whether the runner is restricted to another. */
  readonly excluded: boolean;
  /** Whether `/start` can choose it now. */
  readonly selectable: boolean;
  /** Undefined when it is unavailable. */
  readonly open: OpenTransport | undefined;
}
