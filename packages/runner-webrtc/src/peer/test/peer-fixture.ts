import type { Logger } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, vi } from "vitest";
import type { MdnsResolver } from "../mdns.ts";
import {
  type AudioPacket,
  createPeer,
  type Peer,
  type PeerOptions,
  type PeerState,
  type VideoPacket,
} from "../peer.ts";
import { createPeerCaller, type PeerCaller, type PeerCallerOptions, silence } from "../werift/peer-caller.ts";

const ignore = (): void => undefined;
export const quiet: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => quiet };

/** The events of a peer, in order. */
export interface PeerEvents {
  readonly states: PeerState[];
  readonly audio: AudioPacket[];
  readonly video: VideoPacket[];
  readonly losses: number[];
  readonly channel: ("open" | "closed")[];
  readonly texts: string[];
}

/** Creates a peer that is closed when the test ends, and records its events. */
export function openPeer(
  options: Partial<PeerOptions> = {},
  names?: MdnsResolver,
): { readonly peer: Peer; readonly events: PeerEvents } {
  const events: PeerEvents = { states: [], audio: [], video: [], losses: [], channel: [], texts: [] };
  const peer = createPeer(
    { iceServers: [], logger: quiet, ...options },
    {
      state: (state) => events.states.push(state),
      audio: (packet) => events.audio.push(packet),
      video: (packet) => events.video.push(packet),
      loss: (percent) => events.losses.push(percent),
      channel: (state) => events.channel.push(state),
      text: (text) => events.texts.push(text),
    },
    names,
  );
  onTestFinished(() => peer.close());
  return { peer, events };
}

/** A caller and a peer that are connected. */
export interface Call {
  readonly peer: Peer;
  readonly caller: PeerCaller;
  readonly events: PeerEvents;
}

export async function openCall(options: Partial<PeerOptions> = {}, calling: PeerCallerOptions = {}): Promise<Call> {
  const { peer, events } = openPeer(options);
  const caller = createPeerCaller(calling);
  onTestFinished(() => caller.close());
  await caller.accept(await peer.answer(await caller.offer()));
  await vi.waitFor(() => expect(peer.state).toBe("connected"), { timeout: 4_000 });
  return { peer, caller, events };
}

/** Resolves once each side has received a packet that was sent after this call. */
export async function exchangeAudio({ peer, caller, events }: Call): Promise<void> {
  const before = [events.audio.length, caller.packets.length] as const;
  await vi.waitFor(
    () => {
      caller.sendAudio(silence);
      peer.sendAudio(silence, 960 * caller.packets.length);
      expect(events.audio.length).toBeGreaterThan(before[0]);
      expect(caller.packets.length).toBeGreaterThan(before[1]);
    },
    { timeout: 4_000 },
  );
}
