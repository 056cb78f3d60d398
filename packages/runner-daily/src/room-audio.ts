import { type AudioFrame, createMixer } from "@pipecat-ts/audio";
import type { CallInput } from "@pipecat-ts/runner-core";

/** The audio of a room: all callers mixed, and each participant separately. */
export interface RoomAudio {
  /** Takes mono audio of one track. Without `mix` only `listenTo` receives it. */
  push(participantId: string, track: string, frame: AudioFrame, mix: boolean): void;
  /** The microphone of one participant. `createInput` creates its queue, once per participant. */
  listenTo(participantId: string, createInput: () => CallInput): ReadableStream<AudioFrame>;
  /** The participant left: closes the readers of its audio. */
  left(participantId: string): void;
  /** The call ended: closes all readers, also future ones. */
  end(): void;
}

/** The sample rate of the mix in Hz: that of WebRTC decoders, so that browsers' audio is not resampled. */
const mixRate = 48_000;

/** `mixed` receives the mix. */
export function createRoomAudio(mixed: (frame: AudioFrame) => void): RoomAudio {
  const mixer = createMixer(mixRate, mixed);
  const inputs = new Map<string, CallInput>();
  let ended = false;

  return {
    push(participantId, track, frame, mix) {
      if (mix) mixer.push(`${participantId} ${track}`, frame);
      if (track === "audio") inputs.get(participantId)?.push(frame);
    },
    listenTo(participantId, createInput) {
      const input = inputs.get(participantId) ?? createInput();
      inputs.set(participantId, input);
      const stream = input.listen();
      if (ended) input.end();
      return stream;
    },
    left(participantId) {
      inputs.get(participantId)?.end();
      inputs.delete(participantId);
    },
    end() {
      ended = true;
      for (const input of inputs.values()) input.end();
    },
  };
}
