/**
 * Put into a page before its own scripts: keeps what the page plays (`heard`) and what its microphone gives it (`spoken`),
 * silence included, from each AudioContext's first use on. `soundMs(kind)` says how much of it there is, and
 * `takeSound(kind)` hands it over: PCM16 as base64, and its rate.
 */
{
  const worklet = URL.createObjectURL(
    new Blob(
      [
        `registerProcessor("tap", class extends AudioWorkletProcessor {
          chunk = new Int16Array(1024);
          filled = 0;
          process([[samples = new Float32Array(128)] = []]) {
            for (const sample of samples) this.chunk[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
            if (this.filled === this.chunk.length) {
              this.port.postMessage(this.chunk.slice());
              this.filled = 0;
            }
            return true;
          }
        });`,
      ],
      { type: "text/javascript" },
    ),
  );
  const empty = () => ({ sampleRate: 1, chunks: [] });
  const sounds = { heard: empty(), spoken: empty() };
  const taps = { heard: new WeakMap(), spoken: new WeakMap() };
  const { connect } = AudioNode.prototype;

  const openTap = async (context, kind) => {
    await context.audioWorklet.addModule(worklet);
    const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => {
      sounds[kind].sampleRate = context.sampleRate;
      sounds[kind].chunks.push(data);
    };
    return tap;
  };
  const listen = async (kind, source) => {
    const { context } = source;
    if (!taps[kind].has(context)) taps[kind].set(context, openTap(context, kind));
    connect.call(source, await taps[kind].get(context));
  };
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && target.context instanceof AudioContext) listen("heard", this);
    if (this instanceof MediaStreamAudioSourceNode && target instanceof AudioWorkletNode) listen("spoken", this);
    return connect.call(this, target, ...rest);
  };

  globalThis.soundMs = (kind) => {
    const { sampleRate, chunks } = sounds[kind];
    return ((chunks.length * 1024) / sampleRate) * 1000;
  };
  globalThis.takeSound = async (kind) => {
    const { sampleRate, chunks } = sounds[kind];
    sounds[kind] = empty();
    const reader = new FileReader();
    const loaded = new Promise((resolve) => {
      reader.onload = resolve;
    });
    reader.readAsDataURL(new Blob(chunks));
    await loaded;
    return { sampleRate, base64: reader.result.slice(reader.result.indexOf(",") + 1) };
  };
}
