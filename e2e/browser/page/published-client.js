import { PipecatClient, RTVIEvent, RTVIMessage } from "@pipecat-ai/client-js";
import { WavMediaManager as PeerMedia, SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";
import { WavMediaManager, WebSocketTransport } from "@pipecat-ai/websocket-transport";

// A page with the published client and none of our code. Tests use its globals. The query names the transport, and the media
// manager of WebRTC: published-client.html?webrtc has the one that works without the internet, ?webrtc&default the default.
const query = new URLSearchParams(location.search);
const transport = query.has("webrtc")
  ? new SmallWebRTCTransport(query.has("default") ? {} : { mediaManager: new PeerMedia() })
  : new WebSocketTransport({ mediaManager: new WavMediaManager(512, 16_000), recorderSampleRate: 16_000 });
const client = new PipecatClient({ transport, enableMic: true });
const events = [];
for (const event of Object.values(RTVIEvent)) {
  client.on(event, (data) => events.push({ event, data: event === RTVIEvent.TrackStarted ? undefined : data }));
}
// With WebRTC, the page itself plays the received track.
const speaker = new Audio();
client.on(RTVIEvent.TrackStarted, (track, participant) => {
  if (participant?.local || track.kind !== "audio" || !query.has("webrtc")) return;
  speaker.srcObject = new MediaStream([track]);
  void speaker.play();
});

/** Sends a file to the bot: a text that it uploads first, or a source of its own. client-js 1.13 has no method for it. */
async function sendFile(text, source) {
  const file = source ? { format: "text/plain", source } : await upload(text);
  client.transport.sendMessage(new RTVIMessage("send-file", { content: "Read it.", file }));
}
async function upload(text) {
  const started = events.find(({ event }) => event === RTVIEvent.BotStarted);
  const body = new FormData();
  body.set("file", new Blob([text], { type: "text/plain" }), "note.txt");
  const response = await fetch(started.data.fileUploadUrl, { method: "POST", body });
  return await response.json();
}
Object.assign(globalThis, { client, events, sendFile });
