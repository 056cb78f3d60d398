import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent, type Transport } from "@pipecat-ai/client-js";
import { beforeEach, describe, expect, test } from "vitest";
import { FakeTrack } from "../test/fake-microphones.ts";
import { followBotTrack, openWebRTCAudio } from "./webrtc-audio.ts";

/** A connection whose audio sender records its track. */
function createConnection() {
  const sender = {
    track: null as unknown,
    async replaceTrack(track: unknown) {
      sender.track = track;
    },
  };
  return { sender, getTransceivers: () => [{ sender }, { sender: undefined }] };
}

const newTrack = (name: string) => new FakeTrack(name) as FakeTrack & MediaStreamTrack;

test("another microphone replaces the first one in the same call", async () => {
  const pc = createConnection();
  const audio = await openWebRTCAudio({ pc } as unknown as Transport);
  const [first, second] = [newTrack("first"), newTrack("second")];
  const detach = await audio.attach(first);
  expect(pc.sender.track).toBe(first);
  await detach();
  expect(pc.sender.track).toBe(null);
  await audio.attach(second);
  expect(pc.sender.track).toBe(second);
});

test("a microphone survives the replacement of a connection, and can be stopped after detach", async () => {
  const track = newTrack("only");
  const audio = await openWebRTCAudio({ pc: null } as unknown as Transport);
  const detach = await audio.attach(track);
  track.stop(); // like the transport
  expect(track.readyState).toBe("live");
  await detach();
  track.stop();
  expect(track.readyState).toBe("ended");
});

test("a late microphone of a finished call does not affect the next call", async () => {
  const transport = { pc: createConnection() };
  const audio = await openWebRTCAudio(transport as unknown as Transport);
  await audio.close();
  transport.pc = createConnection();
  const late = newTrack("late");
  const detach = await audio.attach(late);
  expect(transport.pc.sender.track).toBe(null);
  await detach();
});

describe("followBotTrack", () => {
  const [old, next] = [new FakeTrack("old"), new FakeTrack("next")];
  let transport: { pc: unknown };
  let client: EventEmitter;
  let started: unknown[];

  beforeEach(() => {
    transport = { pc: null };
    client = Object.assign(new EventEmitter(), { transport });
    started = [];
    client.on(RTVIEvent.TrackStarted, (track) => started.push(track));
    followBotTrack(client as unknown as PipecatClient);
  });

  const receive = (track: FakeTrack) => {
    transport.pc = { getTransceivers: () => [{ receiver: { track } }] };
  };

  test("reports the track of the new connection when the old one ends", () => {
    receive(next);
    client.emit(RTVIEvent.TrackStopped, old);
    expect(started).toEqual([next]);
  });

  test("reports nothing for a finished call, a pause, or the caller's own track", () => {
    client.emit(RTVIEvent.TrackStopped, old);
    receive(old);
    client.emit(RTVIEvent.TrackStopped, old);
    receive(next);
    client.emit(RTVIEvent.TrackStopped, old, { id: "local", name: "", local: true });
    expect(started).toEqual([]);
  });
});
