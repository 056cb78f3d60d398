import { type CallerPlugin, type CallInvitation, createImpairedNetwork } from "@pipecat-ts/runner-core/caller";
import { connectCaller, endpointOf } from "./caller.ts";
import type { IceServer } from "./peer/peer.ts";
import type { PeerCallerOptions } from "./peer/werift/peer-caller.ts";

/**
 * Calls a runner like Pipecat's JavaScript client. It is the only export of `./caller`: the types of `connectCaller` are those
 * of werift, which the package contains without its types.
 */
const plugin: CallerPlugin = {
  apiVersion: 1,
  name: "webrtc",
  starts: true,
  sendsPackets: true,
  open: () => ({
    dial: (invitation) =>
      connectCaller(endpointOf(invitation), {}, invitation.key, {
        iceServers: iceServersOf(invitation),
        records: invitation.records ?? true,
        network: invitation.network && createImpairedNetwork(invitation.network),
      }),
  }),
};
export default plugin;

/** The ICE servers in the reply of `/start`, as werift takes them: each with one URL. */
function iceServersOf({ start }: CallInvitation): NonNullable<PeerCallerOptions["iceServers"]> {
  const { iceServers = [] } = Object(start?.reply.iceConfig) as { readonly iceServers?: readonly IceServer[] };
  return iceServers.flatMap(({ urls, ...credentials }) => [urls].flat().map((url) => ({ urls: url, ...credentials })));
}
