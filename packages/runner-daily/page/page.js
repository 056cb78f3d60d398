/**
 * Runs daily-js for one bot. The process that opened this page sends commands over a WebSocket and receives events. Text
 * messages are JSON, binary messages are audio; `src/page-link.ts` describes both.
 */
import { createCapture } from "./capture.js";
import { createPlayout } from "./playout.js";

const socket = new WebSocket(new URL("socket", location.href));
socket.binaryType = "arraybuffer";
const send = (message) => socket.send(JSON.stringify(message, withoutTracks));

let call;
let playout;
let capture;
/** Events until the process asks for them, after the join. */
let buffered = [];
/** The last fatal error event. It has more details than the rejection of `join()`. */
let fatal;

const requests = { join, call: callMethod, leave };

socket.addEventListener("message", async ({ data }) => {
  if (typeof data !== "string") return playout?.play(data);
  const { id, command, ...rest } = JSON.parse(data);
  if (command === "clear") return playout?.clear();
  if (command === "mark") return playout?.mark(rest.mark);
  if (command === "events") return sendEvents();
  try {
    send({ id, result: (await requests[command](rest)) ?? null });
  } catch (error) {
    send({ id, error: describe(error) });
  }
});

async function join({ url, token, userName, userData, sampleRate, bitrate, receiveAudio, bundleUrl, version }) {
  if (globalThis.Daily?.version() !== version) {
    throw { type: "sdk", message: `daily-js is ${globalThis.Daily?.version() ?? "missing"}` };
  }
  playout = await createPlayout(sampleRate, (mark) => send({ event: "played", mark }));
  capture = createCapture({
    source: (source) => send({ event: "source", ...source }),
    audio: (bytes) => socket.send(bytes),
  });
  call = globalThis.Daily.createCallObject({
    audioSource: playout.track,
    videoSource: false,
    // Overrides the room: a client does not become ready before it receives audio from the bot.
    startAudioOff: false,
    startVideoOff: true,
    // Otherwise the bot would receive, and pay for, video that it does not use.
    subscribeToTracksAutomatically: false,
    dailyConfig: {
      micAudioMode: bitrate === undefined ? "speech" : { bitrate, stereo: false },
      ...(bundleUrl !== undefined && { bundlePathOverride: bundleUrl }),
    },
  });
  for (const name of eventNames) call.on(name, onEvent);
  if (receiveAudio) {
    call.on("participant-joined", ({ participant }) => subscribe(participant));
    call.on("track-started", (event) => capture.start(event));
    call.on("track-stopped", (event) => capture.stop(event));
  }
  const participants = await call.join({
    url,
    userName,
    ...(token !== undefined && { token }),
    ...(userData !== undefined && { userData }),
  });
  if (receiveAudio) for (const participant of Object.values(participants ?? {})) subscribe(participant);
  return participants ?? {};
}

function subscribe({ local, session_id: id }) {
  if (local) return;
  call.updateParticipant(id, {
    setSubscribedTracks: { audio: true, screenAudio: true, custom: true, video: false, screenVideo: false },
  });
}

function onEvent(event) {
  if (event.action === "error") fatal = event;
  if (buffered) buffered.push(event);
  else send({ event: "daily", detail: event });
}

function sendEvents() {
  for (const event of buffered) send({ event: "daily", detail: event });
  buffered = undefined;
}

/** Calls a method of daily-js. Most return nothing or the call object. */
async function callMethod({ method, args }) {
  const result = await call[method](...args);
  return result === call ? null : result;
}

async function leave() {
  await call?.leave();
}

/** daily-js rejects with errors, strings and event objects. */
function describe(error) {
  const { error: detail, errorMsg } = Object(fatal ?? error);
  const { type = Object(error).type, msg, details } = Object(detail);
  const text = msg ?? errorMsg ?? Object(error).message ?? (typeof error === "string" ? error : JSON.stringify(error));
  return { type, message: String(text), on: details?.on };
}

function withoutTracks(_key, value) {
  return value instanceof MediaStreamTrack || value instanceof MediaStream ? undefined : value;
}

const eventNames = [
  "joined-meeting",
  "left-meeting",
  "error",
  "nonfatal-error",
  "participant-joined",
  "participant-updated",
  "participant-left",
  "participant-counts-updated",
  "active-speaker-change",
  "app-message",
  "dialin-ready",
  "dialin-connected",
  "dialin-stopped",
  "dialin-error",
  "dialin-warning",
  "dialout-connected",
  "dialout-answered",
  "dialout-stopped",
  "dialout-error",
  "dialout-warning",
  "dtmf-event",
  "recording-started",
  "recording-stopped",
  "recording-error",
  "transcription-started",
  "transcription-stopped",
  "transcription-error",
  "transcription-message",
  "network-connection",
  "network-quality-change",
  "meeting-session-summary-updated",
];
