/** How much sound must wait before playing begins, and how long it may wait for that: what evens out the network. */
const headStartMs = 40;

/** Plays the Int16Array chunks that are posted to it, in order, at the context's rate. Posting `null` forgets what waits. */
class Player extends AudioWorkletProcessor {
  #waiting: Int16Array[] = [];
  #played = 0; // samples of the first chunk
  #headStart = 0; // samples left until playing begins

  constructor() {
    super();
    this.#stop();
    this.port.onmessage = ({ data }: MessageEvent<Int16Array | null>) => {
      if (data === null) this.#stop();
      else if (data.length > 0) this.#waiting.push(data);
    };
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0]?.[0];
    if (!output || this.#waiting.length === 0) return true;
    const ready = this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0);
    if (this.#headStart > 0 && ready < this.#headStart) {
      this.#headStart -= output.length;
      return true;
    }
    this.#headStart = 0;
    for (let index = 0; index < output.length; index++) {
      const chunk = this.#waiting[0];
      if (!chunk) {
        this.#stop();
        break;
      }
      output[index] = (chunk[this.#played++] ?? 0) / 32_768;
      if (this.#played < chunk.length) continue;
      this.#waiting.shift();
      this.#played = 0;
    }
    return true;
  }

  #stop(): void {
    this.#waiting = [];
    this.#played = 0;
    this.#headStart = (sampleRate * headStartMs) / 1000;
  }
}

registerProcessor("player", Player);
