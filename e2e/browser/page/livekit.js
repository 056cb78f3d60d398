import { Room, RoomEvent, Track } from "livekit-client";

// A page with LiveKit's client and none of our code. Tests use its globals.
const room = new Room();
const messages = [];
const speaker = new Audio();
room.on(RoomEvent.TrackSubscribed, (track) => {
  if (track.kind === Track.Kind.Audio) track.attach(speaker);
});
room.on(RoomEvent.DataReceived, (data, participant) => {
  messages.push({ message: JSON.parse(new TextDecoder().decode(data)), isAgent: participant?.isAgent });
});

async function startBot() {
  const headers = { "content-type": "application/json" };
  const response = await fetch("/start", { method: "POST", headers, body: JSON.stringify({ transport: "livekit" }) });
  const { url, token } = await response.json();
  await room.connect(url, token);
  await room.localParticipant.setMicrophoneEnabled(true);
}

const sendMessage = (message) =>
  room.localParticipant.publishData(new TextEncoder().encode(JSON.stringify(message)), { reliable: true });

Object.assign(globalThis, { room, messages, startBot, sendMessage });
