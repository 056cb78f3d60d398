import { fileURLToPath } from "node:url";

export const clientRoot = fileURLToPath(new URL("dist", import.meta.url));
export const clientTransports = {
  webrtc: "@pipecat-ts/runner-webrtc",
  websocket: "@pipecat-ts/runner-websocket",
};
