import type { Transport } from "@pipecat-ai/client-js";
import { expect, test } from "vitest";
import { FakeTrack } from "../test/fake-microphones.ts";
import { openPeerLine } from "./peer-line.ts";

/** A transport's connection: what its voice sender sends. */
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

test("another microphone is heard in the same call, and none when it is put down", async () => {
  const pc = createConnection();
  const line = await openPeerLine({ pc } as unknown as Transport);
  const [first, second] = [newTrack("first"), newTrack("second")];
  const putDown = await line.carry(first);
  expect(pc.sender.track).toBe(first);
  await putDown();
  expect(pc.sender.track).toBe(null);
  await line.carry(second);
  expect(pc.sender.track).toBe(second);
});

test("a microphone outlives the connection that the transport replaces, and ends when it is put down", async () => {
  const track = newTrack("only");
  const line = await openPeerLine({ pc: null } as unknown as Transport);
  const putDown = await line.carry(track);
  track.stop(); // as the transport does
  expect(track.readyState).toBe("live");
  await putDown();
  track.stop();
  expect(track.readyState).toBe("ended");
});

test("what comes late for a call that is over does not touch the next one", async () => {
  const transport = { pc: createConnection() };
  const line = await openPeerLine(transport as unknown as Transport);
  await line.close();
  transport.pc = createConnection();
  const late = newTrack("late");
  const putDown = await line.carry(late);
  expect(transport.pc.sender.track).toBe(null);
  await putDown();
});
