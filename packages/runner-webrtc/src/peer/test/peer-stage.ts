import type { Logger } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, vi } from "vitest";
import type { MdnsResolver } from "../mdns.ts";
import { type AudioPacket, createPeer, type Peer, type PeerOptions, type PeerState } from "../peer.ts";
import { createPeerCaller, type PeerCaller, type PeerCallerOptions, silence } from "./peer-caller.ts";

const nothing = (): void => undefined;
export const quiet: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => quiet };

/** What a peer told, in order. */
export interface Heard {
  readonly states: PeerState[];
  readonly audio: AudioPacket[];
  readonly losses: number[];
  readonly channel: ("open" | "closed")[];
  readonly texts: string[];
}

/** A peer that is closed at the end of the test, and what it tells. */
export function openPeer(
  options: Partial<PeerOptions> = {},
  names?: MdnsResolver,
): { readonly peer: Peer; readonly heard: Heard } {
  const heard: Heard = { states: [], audio: [], losses: [], channel: [], texts: [] };
  const peer = createPeer(
    { iceServers: [], logger: quiet, ...options },
    {
      state: (state) => heard.states.push(state),
      audio: (packet) => heard.audio.push(packet),
      loss: (percent) => heard.losses.push(percent),
      channel: (state) => heard.channel.push(state),
      text: (text) => heard.texts.push(text),
    },
    names,
  );
  onTestFinished(() => peer.close());
  return { peer, heard };
}

/** A caller and a peer that talk to each other. */
export interface Call {
  readonly peer: Peer;
  readonly caller: PeerCaller;
  readonly heard: Heard;
}

export async function openCall(options: Partial<PeerOptions> = {}, calling: PeerCallerOptions = {}): Promise<Call> {
  const { peer, heard } = openPeer(options);
  const caller = createPeerCaller(calling);
  onTestFinished(() => caller.close());
  await caller.accept(await peer.answer(await caller.offer()));
  await vi.waitFor(() => expect(peer.state).toBe("connected"), { timeout: 4_000 });
  return { peer, caller, heard };
}

/** Resolves when a packet that was sent after now has arrived on each side. */
export async function hearEachOther({ peer, caller, heard }: Call): Promise<void> {
  const before = [heard.audio.length, caller.packets.length] as const;
  await vi.waitFor(
    () => {
      caller.sendAudio(silence);
      peer.sendAudio(silence, 960 * caller.packets.length);
      expect(heard.audio.length).toBeGreaterThan(before[0]);
      expect(caller.packets.length).toBeGreaterThan(before[1]);
    },
    { timeout: 4_000 },
  );
}
