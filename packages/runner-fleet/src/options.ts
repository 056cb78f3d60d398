import type { OptionTable } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

/** Whether and how this machine is part of a fleet. */
export interface FleetFlags {
  readonly fleet: string | undefined;
  readonly fleetListen: string | undefined;
  readonly fleetAddress: string | undefined;
  readonly fleetSecret: string | undefined;
}

export const fleetFlags: OptionTable<FleetFlags> = {
  fleet: {
    flag: "fleet",
    env: "PIPECAT_FLEET",
    description:
      "Directory of a fleet, whose nodes are machines that answer for each other: redis://host:6379 or rediss://",
    // A URL may contain a password.
    secret: true,
    schema: Type.String({ minLength: 1 }),
    placeholder: "url",
  },
  fleetListen: {
    flag: "fleet-listen",
    env: "PIPECAT_FLEET_LISTEN",
    description: "Where to listen for the other nodes (default: the first private address, port 7861)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "host:port",
  },
  fleetAddress: {
    flag: "fleet-address",
    env: "PIPECAT_FLEET_ADDRESS",
    description: "How the other nodes reach this one, where it differs from --fleet-listen",
    schema: Type.String({ minLength: 1 }),
    placeholder: "host:port",
  },
  fleetSecret: {
    env: "PIPECAT_FLEET_SECRET",
    description: "Secret that all nodes of the fleet share",
    schema: Type.String({ minLength: 32, description: "at least 32 characters" }),
    secret: true,
  },
};
