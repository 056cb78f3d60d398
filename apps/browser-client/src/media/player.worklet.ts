const samplesIn = (ms: number): number => (sampleRate * ms) / 1000;

/** How much sound must wait before playing begins: what evens out the network. Doubled whenever it was too little. */
const firstHeadStart = samplesIn(40);
const longestHeadStart = samplesIn(160);
/** Sound that comes so soon after the last was played is not the next speech: the network was late. */
const longestHitch = samplesIn(200);

/** Plays the Int16Array chunks that are posted to it, in order, at the context's rate. Posting `null` forgets what waits. */
class Player extends AudioWorkletProcessor {
  #headStart = firstHeadStart;
  #waiting: Int16Array[] = [];
  #played = 0; // samples of the first chunk
  #playing = false;
  #idle = longestHitch; // samples since there was nothing left to play
  #held = 0; // samples that playing was held back for

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<Int16Array | null>) => {
      if (data === null) this.#stop(longestHitch);
      else if (data.length > 0) this.#take(data);
    };
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0]?.[0];
    if (!output) return true;
    if (this.#waiting.length === 0) this.#idle += output.length;
    else if (this.#playing || this.#mayBegin(output.length)) this.#play(output);
    return true;
  }

  #take(chunk: Int16Array): void {
    if (this.#waiting.length === 0 && this.#idle < longestHitch)
      this.#headStart = Math.min(this.#headStart * 2, longestHeadStart);
    this.#waiting.push(chunk);
  }

  /** Whether enough waits, or has waited for long enough: the end of a speech may be short. */
  #mayBegin(quantum: number): boolean {
    this.#held += quantum;
    const ready = this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#playing = Math.max(ready, this.#held) >= this.#headStart;
    return this.#playing;
  }

  #play(output: Float32Array): void {
    for (let index = 0; index < output.length; index++) {
      const chunk = this.#waiting[0];
      if (!chunk) break;
      output[index] = (chunk[this.#played++] ?? 0) / 32_768;
      if (this.#played < chunk.length) continue;
      this.#waiting.shift();
      this.#played = 0;
    }
    if (this.#waiting.length === 0) this.#stop(0);
  }

  #stop(idle: number): void {
    this.#waiting = [];
    this.#played = 0;
    this.#playing = false;
    this.#idle = idle;
    this.#held = 0;
  }
}

registerProcessor("player", Player);

export {};
