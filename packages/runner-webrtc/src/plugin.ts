import type { TransportPlugin } from "@pipecat-ts/runner-core";

/** Callers by WebRTC, in the way of Pipecat's SmallWebRTC clients. */
const plugin: TransportPlugin = {
  name: "webrtc",
  rank: 10,
  check: () => ({ state: "unavailable", reason: "It is being built.", fix: "Use another transport." }),
  open: () => ({ close: async () => undefined }),
};
export default plugin;
