import type { AudioFrame } from "@pipecat-ts/audio";
import { type Caller, type CallerAudio, createCallerAudio, type Losses } from "@pipecat-ts/runner-media";
import type { DailyCallListener } from "./daily-call.ts";
import { createMixer } from "./mixer.ts";

/** What is said in a room: all of it mixed, and that of one participant for whoever asks. */
export interface Listening {
  /** Gives the mix to `caller`; what is not `mixed` is for `listenTo` alone. */
  hear(caller: Caller): (...audio: [...Parameters<DailyCallListener["audio"]>, mixed: boolean]) => void;
  listenTo(participantId: string): ReadableStream<AudioFrame>;
  /** Somebody has left. */
  left(participantId: string): void;
  /** Nothing more is said. */
  end(): void;
}

export function createListening(sampleRate: number, losses: Losses): Listening {
  const byParticipant = new Map<string, CallerAudio>();
  let ended = false;

  return {
    hear(caller) {
      const mixer = createMixer((frame) => caller.audio(frame));
      return (participantId, track, frame, mixed) => {
        if (mixed) mixer.take(`${participantId} ${track}`, frame);
        // A screen's sound is not what they say.
        if (track === "audio") byParticipant.get(participantId)?.take(frame);
      };
    },
    listenTo(participantId) {
      const voice = byParticipant.get(participantId) ?? createCallerAudio(sampleRate, losses);
      byParticipant.set(participantId, voice);
      if (ended) voice.end();
      return voice.read();
    },
    left(participantId) {
      byParticipant.get(participantId)?.end();
      byParticipant.delete(participantId);
    },
    end() {
      ended = true;
      for (const voice of byParticipant.values()) voice.end();
    },
  };
}
