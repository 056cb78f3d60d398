/** Posts its input as Int16Array chunks of 20 ms at the context's rate. */
class Recorder extends AudioWorkletProcessor {
  #chunk = new Int16Array(Math.round(sampleRate / 50));
  #filled = 0;

  override process([input]: Float32Array[][]): boolean {
    for (const sample of input?.[0] ?? []) {
      this.#chunk[this.#filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
      if (this.#filled === this.#chunk.length) this.#post();
    }
    return true;
  }

  #post(): void {
    const full = this.#chunk;
    this.#chunk = new Int16Array(full.length);
    this.#filled = 0;
    this.port.postMessage(full, [full.buffer]);
  }
}

registerProcessor("recorder", Recorder);
