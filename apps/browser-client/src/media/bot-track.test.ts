import { EventEmitter } from "node:events";
import { type PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { beforeEach, expect, test } from "vitest";
import { FakeTrack } from "../test/fake-microphones.ts";
import { followBotTrack } from "./bot-track.ts";

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

test("the track of the connection that replaced a broken one is told when the old one ends", () => {
  receive(next);
  client.emit(RTVIEvent.TrackStopped, old);
  expect(started).toEqual([next]);
});

test("nothing is told of a call that is over, of a pause, or of the caller's own track", () => {
  client.emit(RTVIEvent.TrackStopped, old);
  receive(old);
  client.emit(RTVIEvent.TrackStopped, old);
  receive(next);
  client.emit(RTVIEvent.TrackStopped, old, { id: "local", name: "", local: true });
  expect(started).toEqual([]);
});
