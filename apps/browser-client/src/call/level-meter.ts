/** The level of silence, in dBFS. */
export const silenceDb = -100;

/** Measures the level of a track, without playing it. */
export interface LevelMeter {
  /** The level of the last 20 ms, in dBFS, from -100 to 0. */
  levelDb(): number;
  close(): void;
}

export function openLevelMeter(context: AudioContext, track: MediaStreamTrack): LevelMeter {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    levelDb() {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      return sum === 0 ? silenceDb : Math.max(silenceDb, 10 * Math.log10(sum / samples.length));
    },
    close() {
      source.disconnect();
      analyser.disconnect();
    },
  };
}
