import playerUrl from "./player.worklet.ts?worker&url";

/** Where the bot is heard. */
export interface Speaker {
  /** The bot's voice, for visualisers; it sounds without anybody playing this track. */
  readonly track: MediaStreamTrack | undefined;
  /** Plays these samples after all earlier ones. Takes them over. */
  write(samples: Int16Array): void;
  /** Forgets what has not sounded yet. */
  clear(): void;
  close(): Promise<void>;
}

/** Opens the default loudspeaker for PCM16 samples at `sampleRate` (Hz), mono. */
export async function openSpeaker(sampleRate: number): Promise<Speaker> {
  const context = new AudioContext({ sampleRate, latencyHint: "interactive" });
  try {
    await context.audioWorklet.addModule(playerUrl);
  } catch (error) {
    await context.close();
    throw error;
  }
  const player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
  const visible = context.createMediaStreamDestination();
  player.connect(context.destination);
  player.connect(visible);
  // Held back until the person presses something, where the page was not pressed yet; nothing waits for it.
  void context.resume();
  return {
    track: visible.stream.getAudioTracks()[0],
    write: (samples) => player.port.postMessage(samples, [samples.buffer]),
    clear: () => player.port.postMessage(null),
    close: () => context.close(),
  };
}
