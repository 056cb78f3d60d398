import type { StartBody, TransportPlugin } from "@pipecat-ts/runner-core";
import { openCalls } from "./calls.ts";
import { createConnectingCallers } from "./connecting.ts";
import { doctorChecks } from "./doctor.ts";
import { offerRoutes } from "./offer-routes.ts";
import { esp32Options, type WebRTCOptions, webrtcOptions } from "./options.ts";
import { parseIceServers } from "./peer/ice-servers.ts";
import type { IceServer } from "./peer/peer.ts";

/** For a client that asks for default ICE servers when none are configured, as in Pipecat's own runner. */
const defaultIceServers: WebRTCOptions["iceServers"] = [{ urls: "stun:stun.l.google.com:19302" }];

/** Takes calls from Pipecat's SmallWebRTC clients. */
const plugin: TransportPlugin<WebRTCOptions> = {
  apiVersion: 1,
  name: "webrtc",
  options: webrtcOptions,
  advanced: { rank: 100, doctor: doctorChecks },
  open(runner, options) {
    const { host, maxSessions } = runner.settings;
    parseIceServers(options.callerIceServers ?? []); // Throws OPTION_INVALID.
    const calls = openCalls(runner, options.esp32 ? esp32Options(options, host) : options);

    return {
      routes: offerRoutes({
        calls,
        connecting: createConnectingCallers(maxSessions),
        createSession: runner.createSession,
        findSession: runner.findSession,
      }),
      start({ body }) {
        const { id } = runner.createSession({ body: body.body });
        const iceServers = iceServersFor(body, options);
        // voice-ui-kit 0.14.0 cannot handle `iceConfig: null`.
        const iceConfig = iceServers.length > 0 ? { iceConfig: { iceServers } } : {};
        return { sessionId: id, body: { sessionId: id, ...iceConfig }, extensible: true };
      },
      advanced: { warmUp: calls.warmUp, banner: () => [`${runner.url("/api/offer").href} accepts WebRTC offers`] },
    };
  },
};
export default plugin;

/** Pipecat's Android and iOS clients read `urls` only as a list. */
function iceServersFor(
  body: StartBody,
  { iceServers, callerIceServers = iceServers }: WebRTCOptions,
): (IceServer & { readonly urls: readonly string[] })[] {
  const usesDefault = callerIceServers.length === 0 && body.enableDefaultIceServers === true;
  const servers = usesDefault ? defaultIceServers : callerIceServers;
  return servers.map((server) => ({ ...server, urls: [server.urls].flat() }));
}
