/**
 * The bot's seat in a Daily room: daily-js, told what to do over a WebSocket by the process that opened this page, and
 * telling it what happens. Text messages are JSON, binary ones audio; `src/call/browser/page-messages.ts` describes both.
 */
import { createCapture } from "./capture.js";
import { createPlayout } from "./playout.js";

const socket = new WebSocket(new URL("socket", location.href));
socket.binaryType = "arraybuffer";
const tell = (message) => socket.send(JSON.stringify(message, withoutTracks));

let call;
let playout;
let capture;
/** What happens before the bot is in the room, kept until it is told that it is. */
let held = [];
/** The last fatal error: `join()` rejects with less than it says. */
let fatal;

const commands = { join, call: doCall, leave };

socket.addEventListener("message", async ({ data }) => {
  if (typeof data !== "string") return playout?.play(data);
  const { id, command, ...rest } = JSON.parse(data);
  if (command === "clear") return playout?.clear();
  if (command === "mark") return playout?.mark(rest.mark);
  try {
    tell({ id, result: (await commands[command](rest)) ?? null });
  } catch (error) {
    tell({ id, error: describe(error) });
  }
  if (command === "join") release();
});

async function join({ url, token, userName, userData, sampleRate, bitrate, hears, bundleUrl, version }) {
  if (globalThis.Daily?.version() !== version) {
    throw { type: "sdk", message: `daily-js is ${globalThis.Daily?.version() ?? "missing"}` };
  }
  playout = await createPlayout(sampleRate, (mark) => tell({ event: "played", mark }));
  capture = createCapture({
    source: (source) => tell({ event: "source", ...source }),
    audio: (bytes) => socket.send(bytes),
  });
  call = globalThis.Daily.createCallObject({
    audioSource: playout.track,
    videoSource: false,
    // Whatever the room says of those who join it: a bot that does not sound never gets its client ready.
    startAudioOff: false,
    startVideoOff: true,
    // Video would be received, and paid for, to be thrown away.
    subscribeToTracksAutomatically: false,
    dailyConfig: {
      micAudioMode: bitrate === undefined ? "speech" : { bitrate, stereo: false },
      ...(bundleUrl !== undefined && { bundlePathOverride: bundleUrl }),
    },
  });
  for (const name of eventNames) call.on(name, onEvent);
  if (hears) {
    call.on("participant-joined", ({ participant }) => hear(participant));
    call.on("track-started", (event) => capture.start(event));
    call.on("track-stopped", (event) => capture.stop(event));
  }
  const participants = await call.join({
    url,
    userName,
    ...(token !== undefined && { token }),
    ...(userData !== undefined && { userData }),
  });
  for (const participant of Object.values(participants ?? {})) if (hears) hear(participant);
  return { participants };
}

function hear({ local, session_id: id }) {
  if (local) return;
  call.updateParticipant(id, {
    setSubscribedTracks: { audio: true, screenAudio: true, custom: true, video: false, screenVideo: false },
  });
}

function onEvent(event) {
  if (event.action === "error") fatal = event;
  if (held) held.push(event);
  else tell({ event: "daily", detail: event });
}

/** Also after a join that failed: nobody waits for it any more. */
function release() {
  for (const event of held ?? []) tell({ event: "daily", detail: event });
  held = undefined;
}

/** The methods a bot may call, by name; those that answer nothing are done when they return. */
async function doCall({ method, args }) {
  const result = await call[method](...args);
  return result === call ? null : result;
}

async function leave() {
  await call?.leave();
}

/** daily-js rejects with errors, with texts, and with event objects. */
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
