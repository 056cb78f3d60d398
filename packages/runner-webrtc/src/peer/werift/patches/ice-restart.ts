import type { CandidatePair, Connection, Message, Protocol, RTCIceTransport } from "werift";
import type { SocketAddress } from "../../udp-transport.ts";

/** How long the previous pair may be used: without an answer to a check, consent to send expires after 30 s (RFC 7675). */
const previousPairMs = 30_000;

/** The number of ICE generations whose checks are answered. A caller continues to check the pair that it still uses. */
const generationLimit = 8;

/** The maximum number of addresses from which data of earlier generations is accepted. A browser uses one per network. */
const addressLimit = 16;

/** The addresses from which a caller may still send data after an ICE restart. */
export interface PreviousAddresses {
  includes(address: SocketAddress): boolean;
}

/**
 * Private members: `Connection.restart`, `send`, `connect`, `checkIncoming`, `checkStart`, `checkComplete`, `buildRequest`,
 * `consentFresh`, `userHistory`.
 *
 * Keeps the candidate pair of a call through an ICE restart: data is sent and accepted on it until the new pair is nominated
 * (RFC 8445, section 2.4), for at most 30 s.
 *
 * Until it has read our answer, Chromium checks us from its new ports with our old name. It keeps that name for these pairs, and
 * rejects checks of ours with the new one. So each pair is checked with the name that the caller uses on it. Checks with the old
 * names of both sides are answered and have no other effect.
 *
 * Without this patch, nothing is sent from the caller's offer until the new pair is nominated. A check with the wrong name, or
 * with the name of another pair, delays that by 1.5 s. Each restart that the caller does not complete leaves a timer behind.
 *
 * Upstream issues: "ICE restart: keep the selected pair until a new one is nominated (RFC 8445, section 2.4)", "ICE restart:
 * a binding request of the old generation delays the new one", "ICE restart: connect() of an earlier generation never ends, and
 * RTCIceTransport.start() throws".
 */
export function keepPairDuringRestart({ connection }: Pick<RTCIceTransport, "connection">): PreviousAddresses {
  const internals = connection as unknown as IceInternals;
  const { restart, send, connect, checkIncoming, checkStart, checkComplete, buildRequest } = internals;
  /** Our name on the pairs that the caller checked before we did. */
  const names = new WeakMap<CandidatePair, string>();
  /** Our name in the caller's check that is handled, and the pair that our check is written for. */
  let incomingName: string | undefined;
  let checked: CandidatePair | undefined;
  let previous: CandidatePair | undefined;
  let addresses: SocketAddress[] = [];
  let validUntilMs = 0;
  let connecting: Promise<void> | undefined;
  const generations = [internals.localUsername];

  const isValid = (): boolean => performance.now() < validUntilMs;

  function remember(address: SocketAddress): void {
    if (!addresses.some((known) => isSame(known, address))) addresses = [...addresses, address].slice(-addressLimit);
  }

  internals.restart = async () => {
    const { nominated, state, remoteCandidates, userHistory } = internals;
    if (nominated !== undefined && state !== "failed") {
      previous = nominated;
      validUntilMs = performance.now() + previousPairMs;
      addresses = [];
    }
    for (const { host, port } of remoteCandidates) remember([host, port]);
    if (previous !== undefined) remember(previous.remoteAddr);
    // werift restarts in the same turn of the event loop.
    void restart.call(connection);
    generations.push(internals.localUsername);
    for (const name of generations.splice(0, generations.length - generationLimit)) delete userHistory[name];
  };
  internals.send = async (data) => {
    const { consentFresh, state } = internals;
    if (previous === undefined || consentFresh || !isValid() || state === "failed" || state === "closed")
      return await send(data);
    await previous.protocol.sendData(data, previous.remoteAddr);
  };
  // The loop of an earlier generation also checks the pairs of the current one.
  internals.connect = async () => {
    if (connecting === undefined) {
      connecting = connect.call(connection).finally(() => {
        connecting = undefined;
      });
    } else formPairs(internals);
    await connecting;
  };
  internals.checkIncoming = (request, from, protocol) => {
    const [ours = "", theirs] = String(request.getAttributeValue("USERNAME")).split(":");
    const isCurrent = ours === internals.localUsername;
    if (!isCurrent && theirs !== internals.remoteUsername) return remember(from);
    const pair = internals.checkList.find((each) => each.protocol === protocol && isSame(each.remoteAddr, from));
    // Our check is under way with another name than the caller's: check again.
    if (pair?.state === inProgress && !isCurrent && !names.has(pair)) pair.updateState(waiting);
    incomingName = ours;
    checkIncoming.call(connection, request, from, protocol);
    incomingName = undefined;
  };
  internals.checkStart = (pair) => {
    if (incomingName !== undefined) names.set(pair, incomingName);
    checked = pair;
    const check = checkStart(pair);
    checked = undefined;
    return check;
  };
  internals.buildRequest = (options) => {
    // Without a check, the request is for consent.
    const pair = checked ?? internals.nominated;
    const localUsername = (pair && names.get(pair)) ?? internals.localUsername;
    return buildRequest.call(connection, { ...options, localUsername });
  };
  internals.checkComplete = (pair) => {
    if (internals.checkList.includes(pair)) checkComplete.call(connection, pair);
  };

  return { includes: (address) => isValid() && addresses.some((known) => isSame(known, address)) };
}

function isSame([host, port]: SocketAddress, other: SocketAddress): boolean {
  return port === other[1] && host === other[0];
}

/** What `connect` does before its loop (RFC 8445, section 6.1.2). */
function formPairs(ice: IceInternals): void {
  for (const candidate of ice.remoteCandidates) ice.pairRemoteCandidate(candidate);
  ice.sortCheckList();
  ice.unfreezeInitial();
  for (const check of ice.earlyChecks) ice.checkIncoming(...check);
  ice.earlyChecks = [];
  ice.earlyChecksDone = true;
}

/** States of a candidate pair. */
const waiting = 1;
const inProgress = 2;

type Check = readonly [request: Message, from: SocketAddress, protocol: Protocol];

interface IceInternals extends Pick<Connection, PublicMembers> {
  readonly consentFresh: boolean;
  earlyChecks: readonly Check[];
  earlyChecksDone: boolean;
  restart(): Promise<void>;
  connect(): Promise<void>;
  checkIncoming(...check: Check): void;
  checkStart(pair: CandidatePair): unknown;
  checkComplete(pair: CandidatePair): void;
  buildRequest(options: { readonly localUsername: string }): Message;
  pairRemoteCandidate(candidate: unknown): void;
  sortCheckList(): void;
  unfreezeInitial(): void;
}
type PublicMembers =
  | "nominated"
  | "state"
  | "localUsername"
  | "remoteUsername"
  | "remoteCandidates"
  | "checkList"
  | "userHistory"
  | "send";
