const samplesIn = (ms: number): number => (sampleRate * ms) / 1000;

/** The buffered audio required before playback starts, to absorb network jitter. Doubles after every underrun. */
const initialDelay = samplesIn(40);
const maxDelay = samplesIn(160);
/** Audio that arrives sooner after the buffer ran empty was late; later audio is a new utterance. */
const maxUnderrun = samplesIn(200);

/** Plays Int16Array chunks in order, at the context's rate. The message `null` drops the buffered chunks. */
class Player extends AudioWorkletProcessor {
  #delay = initialDelay;
  #buffered: Int16Array[] = [];
  #played = 0; // samples of the first chunk
  #playing = false;
  #idle = maxUnderrun; // samples since the buffer ran empty
  #waited = 0; // samples since the first chunk arrived

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Int16Array | null>) => {
      if (data === null) this.#stop(maxUnderrun);
      else if (data.length > 0) this.#add(data);
    };
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0]?.[0];
    if (!output) return true;
    if (this.#buffered.length === 0) this.#idle += output.length;
    else if (this.#playing || this.#canStart(output.length)) this.#play(output);
    return true;
  }

  #add(chunk: Int16Array): void {
    if (this.#buffered.length === 0 && this.#idle < maxUnderrun) this.#delay = Math.min(this.#delay * 2, maxDelay);
    this.#buffered.push(chunk);
  }

  /** Whether enough audio is buffered or enough time has passed: the end of an utterance may be short. */
  #canStart(quantum: number): boolean {
    this.#waited += quantum;
    const available = this.#buffered.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#playing = Math.max(available, this.#waited) >= this.#delay;
    return this.#playing;
  }

  #play(output: Float32Array): void {
    for (let index = 0; index < output.length; index++) {
      const chunk = this.#buffered[0];
      if (!chunk) break;
      output[index] = (chunk[this.#played++] ?? 0) / 32_768;
      if (this.#played < chunk.length) continue;
      this.#buffered.shift();
      this.#played = 0;
    }
    if (this.#buffered.length === 0) this.#stop(0);
  }

  #stop(idle: number): void {
    this.#buffered = [];
    this.#played = 0;
    this.#playing = false;
    this.#idle = idle;
    this.#waited = 0;
  }
}

registerProcessor("player", Player);

export {};
