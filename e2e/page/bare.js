import { PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { WavMediaManager, WebSocketTransport } from "@pipecat-ai/websocket-transport";

// A page as somebody else writes it: the published client and nothing of ours. The test drives it by these globals.
const client = new PipecatClient({
  transport: new WebSocketTransport({ mediaManager: new WavMediaManager(512, 16_000), recorderSampleRate: 16_000 }),
  enableMic: true,
});
const events = [];
for (const event of Object.values(RTVIEvent)) {
  client.on(event, (data) => events.push({ event, data: event === RTVIEvent.TrackStarted ? undefined : data }));
}
Object.assign(globalThis, { client, events });
