export {
  type CallEnd,
  type Caller,
  type CallerLine,
  type CallerPlugin,
  type CallInvitation,
  callRejected,
  notRunner,
  requestStart,
} from "./caller.ts";
export { type Answer, send } from "./http.ts";
export { type Microphone, openMicrophone, speak } from "./microphone.ts";
export { createImpairedNetwork, type ImpairedNetwork, type NetworkImpairment } from "./network.ts";
export { createPlayout, type PlayedFrame, type Playout } from "./playout.ts";
export { clientReady, rtviData, rtviMessage } from "./rtvi.ts";
export { opened } from "./socket.ts";
