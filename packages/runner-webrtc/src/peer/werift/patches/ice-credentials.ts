import { randomBytes } from "node:crypto";
import type { Connection, RTCIceTransport } from "werift";

/** In bytes; RFC 8445, section 5.3, demands names of at least 24 random bits, and passwords of at least 128. */
const nameSize = 6;
const passwordSize = 18;

/**
 * Private members: `Connection.restart`, `localUsername`, `localPassword`, `userHistory`, `protocols`.
 *
 * Makes our ICE names and passwords as random as RFC 8445 demands. werift's have 16 and 88 bits. Without this patch, one of 65,536
 * restarts gets the name of an earlier generation, whose checks are then answered with the wrong password.
 *
 * Upstream issue: "ICE: ufrag has 16 and pwd 88 bits of randomness; RFC 8445, section 5.3, demands 24 and 128".
 */
export function randomizeCredentials({ connection }: Pick<RTCIceTransport, "connection">): void {
  const internals = connection as unknown as IceInternals;
  const { restart } = internals;
  const randomize = (): void => {
    delete internals.userHistory[internals.localUsername];
    internals.localUsername = randomBytes(nameSize).toString("hex");
    internals.localPassword = randomBytes(passwordSize).toString("hex");
    internals.userHistory[internals.localUsername] = internals.localPassword;
    for (const { localCandidate } of internals.protocols)
      if (localCandidate !== undefined) localCandidate.ufrag = internals.localUsername;
  };

  randomize();
  internals.restart = async () => {
    // werift restarts in the same turn of the event loop.
    const restarted = restart.call(connection);
    randomize();
    await restarted;
  };
}

interface IceInternals extends Pick<Connection, "restart" | "localUsername" | "localPassword" | "userHistory"> {
  readonly protocols: readonly { readonly localCandidate?: { ufrag?: string } }[];
}
