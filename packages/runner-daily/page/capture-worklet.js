/** Sends its input to the page: blocks of at least 10 ms, one array per channel. */
class Capture extends AudioWorkletProcessor {
  #blocks = [];
  #frames = 0;

  process([channels]) {
    if (channels.length === 0) return true;
    this.#blocks.push(channels.map((channel) => channel.slice()));
    this.#frames += channels[0].length;
    if (this.#frames >= sampleRate / 100) this.#send();
    return true;
  }

  #send() {
    const joined = this.#blocks[0].map((_, channel) => {
      const whole = new Float32Array(this.#frames);
      let at = 0;
      for (const block of this.#blocks) {
        whole.set(block[channel] ?? block[0], at);
        at += block[0].length;
      }
      return whole;
    });
    this.port.postMessage(joined);
    this.#blocks = [];
    this.#frames = 0;
  }
}

registerProcessor("capture", Capture);
