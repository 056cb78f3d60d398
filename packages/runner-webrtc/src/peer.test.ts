import { afterEach, describe, expect, test, vi } from "vitest";
import { type AudioPacket, createPeer, type Peer, type PeerListener, type PeerState } from "./peer.ts";
import { createPeerCaller, type PeerCaller, silence } from "./test/peer-caller.ts";

const nothing = (): void => undefined;
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => quiet };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

interface Heard {
  readonly states: PeerState[];
  readonly audio: AudioPacket[];
  readonly channel: string[];
  readonly texts: string[];
}

function createHeard(): Heard & { readonly listener: PeerListener } {
  const heard = {
    states: [] as PeerState[],
    audio: [] as AudioPacket[],
    channel: [] as string[],
    texts: [] as string[],
  };
  return {
    ...heard,
    listener: {
      state: (state) => heard.states.push(state),
      audio: (packet) => heard.audio.push(packet),
      channel: (state) => heard.channel.push(state),
      text: (text) => heard.texts.push(text),
    },
  };
}

async function call(): Promise<{ peer: Peer; caller: PeerCaller; heard: Heard }> {
  const heard = createHeard();
  const peer = createPeer({ iceServers: [], logger: quiet }, heard.listener);
  const caller = createPeerCaller();
  open.push(peer, caller);
  await caller.accept(await peer.answer(await caller.offer()));
  await vi.waitFor(() => expect(peer.state).toBe("connected"));
  return { peer, caller, heard };
}

describe("a call", () => {
  test("carries audio both ways", async () => {
    const { peer, caller, heard } = await call();
    await vi.waitFor(() => {
      caller.sendAudio(silence);
      peer.sendAudio(silence, 960);
      expect(heard.audio.length).toBeGreaterThan(0);
      expect(caller.packets.length).toBeGreaterThan(0);
    });
    expect([...(heard.audio[0]?.payload ?? [])]).toEqual([...silence]);
  });

  test("carries text both ways", async () => {
    const { peer, caller, heard } = await call();
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    caller.channel?.send("hello");
    peer.sendText("welcome");
    await vi.waitFor(() => expect([heard.texts, caller.texts]).toEqual([["hello"], ["welcome"]]));
  });
});
