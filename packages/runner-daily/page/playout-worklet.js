/** Plays PCM16 blocks in order, and reports each mark when everything before it was played. */
class Playout extends AudioWorkletProcessor {
  #queue = [];
  #offset = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.clear) this.#clear();
      else if (data.samples) this.#queue.push(new Int16Array(data.samples));
      else this.#queue.push(data.mark);
    };
  }

  #clear() {
    this.#queue = [];
    this.#offset = 0;
  }

  process(_inputs, [[output]]) {
    let filled = 0;
    while (this.#queue.length > 0) {
      const next = this.#queue[0];
      if (typeof next === "string") this.port.postMessage(next);
      else {
        for (; filled < output.length && this.#offset < next.length; filled++, this.#offset++) {
          output[filled] = next[this.#offset] / 32768;
        }
        if (this.#offset < next.length) return true;
        this.#offset = 0;
      }
      this.#queue.shift();
    }
    return true;
  }
}

registerProcessor("playout", Playout);
