import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent, type Transport } from "@pipecat-ai/client-js";
import { expect, test } from "vitest";
import { FakeTrack } from "../test/fake-microphones.ts";
import { type AcceptedVideo, attachWebRTCVideo, followAcceptedVideo } from "./webrtc-video.ts";

interface FakeTransceiver {
  currentDirection: string | null;
  readonly sender: { track: unknown; replaceTrack(track: unknown): Promise<void> };
}

/** A connection with transceivers for audio, camera and screen. */
function createConnection() {
  const transceivers = [0, 1, 2].map((): FakeTransceiver => {
    const sender = {
      track: null as unknown,
      async replaceTrack(track: unknown) {
        sender.track = track;
      },
    };
    return { currentDirection: null, sender };
  });
  return Object.assign(new EventTarget(), { transceivers, getTransceivers: () => transceivers });
}

test.each([
  ["camera", 1],
  ["screen", 2],
] as const)("sends the %s with its own transceiver", async (source, index) => {
  const pc = createConnection();
  const track = new FakeTrack(source) as FakeTrack & MediaStreamTrack;
  const detach = await attachWebRTCVideo({ pc } as unknown as Transport, source, track);
  expect(pc.transceivers.map(({ sender }) => sender.track === track)).toEqual([0, 1, 2].map((each) => each === index));
  track.stop(); // like the transport, when it replaces its connection
  expect(track.readyState).toBe("live");
  await detach();
  expect(pc.transceivers[index]?.sender.track).toBe(null);
  track.stop();
  expect(track.readyState).toBe("ended");
});

test("reports what the bot accepts, after each offer and each new connection", () => {
  const transport: { pc: ReturnType<typeof createConnection> | null } = { pc: createConnection() };
  const client = Object.assign(new EventEmitter(), { transport, state: "connecting" });
  const reports: AcceptedVideo[] = [];
  followAcceptedVideo(client as unknown as PipecatClient, (accepted) => reports.push(accepted));
  const change = (state: string) => {
    client.state = state;
    client.emit(RTVIEvent.TransportStateChanged, state);
    return reports.at(-1);
  };
  const answered = (...directions: string[]) => {
    for (const [index, direction] of directions.entries())
      Object.assign(transport.pc?.transceivers[index] ?? {}, { currentDirection: direction });
    transport.pc?.dispatchEvent(new Event("signalingstatechange"));
    return reports.at(-1);
  };
  expect(change("ready")).toEqual({ camera: false, screen: false });
  expect(answered("sendrecv", "inactive", "inactive")).toEqual({ camera: false, screen: false });
  expect(answered("sendrecv", "sendonly", "inactive")).toEqual({ camera: true, screen: false });
  expect(answered("sendrecv", "sendonly", "sendonly")).toEqual({ camera: true, screen: true });
  transport.pc = createConnection();
  client.emit(RTVIEvent.TrackStarted);
  expect(reports.at(-1)).toEqual({ camera: false, screen: false });
  expect(answered("sendrecv", "sendonly", "sendonly")).toEqual({ camera: true, screen: true });
  transport.pc = null;
  expect(change("disconnected")).toEqual({ camera: false, screen: false });
});
