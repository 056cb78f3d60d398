import type { SessionArguments, TransportParams } from "@pipecat-ts/runner-core";

/** What a bot receives when its caller uses the raven transport. */
export interface RavenRunnerArguments extends SessionArguments<"raven"> {
  /** The address of the caller. */
  readonly address: string | undefined;
}

declare module "@pipecat-ts/runner-core" {
  interface RunnerArgumentsByTransport {
    raven: RavenRunnerArguments;
  }
  interface TransportParamsByTransport {
    raven: TransportParams;
  }
}
