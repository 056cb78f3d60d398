import { RunnerError, type Session, type StartBody, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createPacer } from "@pipecat-ts/runner-media";
import { createCalls } from "./calls.ts";
import { offerRoutes } from "./offer-routes.ts";
import { checkOptions, type WebRTCOptions, webrtcOptions } from "./options.ts";
import { warmUp } from "./peer/peer.ts";
import { loadOpus } from "./voice/opus.ts";

/** What a caller's browser is told to ask for its own address when it wants such a server and none was configured: as in Pipecat's own runner. */
const defaultIceServers = [{ urls: "stun:stun.l.google.com:19302" }];

/** Callers by WebRTC, as Pipecat's SmallWebRTC clients call. */
const plugin: TransportPlugin<WebRTCOptions> = {
  name: "webrtc",
  rank: 100,
  options: webrtcOptions,
  async open(runner, options) {
    checkOptions(options);
    const pacer = runner.shared("pacer", createPacer);
    const [opus] = await Promise.all([runner.shared("opus", loadOpus), warmUp()]);
    /** The sessions whose caller is to come in here: another transport's ids open nothing. */
    const started = new WeakSet<Session>();
    const calls = createCalls({ runner, options, opus, pacer });

    function start(body?: unknown): Session {
      const session = runner.createSession({ body });
      started.add(session);
      return session;
    }

    return {
      routes: offerRoutes({
        calls,
        start,
        find(sessionId) {
          const session = runner.findSession(sessionId);
          if (session !== undefined && started.has(session)) return session;
          throw new RunnerError("SESSION_UNKNOWN", `No session "${sessionId}" waits for a caller by WebRTC.`, {
            fix: 'Ask POST /start for one, with {"transport": "webrtc"}.',
          });
        },
      }),
      start({ body }) {
        const { id } = start(body.body);
        const iceServers = iceServersFor(body, options);
        // Without servers no key at all: voice-ui-kit 0.14.0 cannot bear one that is null.
        const iceConfig = iceServers.length > 0 ? { iceConfig: { iceServers } } : {};
        return { sessionId: id, body: { sessionId: id, ...iceConfig } };
      },
      banner: () => [`${runner.urlFor("/api/offer").href} takes offers`],
      async close() {
        // Peers are their sessions', and the pacer holds no timer without them.
      },
    };
  },
};
export default plugin;

function iceServersFor(body: StartBody, { iceServers }: WebRTCOptions): WebRTCOptions["iceServers"] {
  return iceServers.length === 0 && body.enableDefaultIceServers === true ? defaultIceServers : iceServers;
}
