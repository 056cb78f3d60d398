/**
 * Runs in a page before its own scripts. Records what the page plays, with an AudioContext or an element (`played`), and
 * what its microphone delivers to an AudioContext or a WebRTC sender (`spoken`): from the first use on, with silence.
 * `audioMs(kind)` returns the recorded duration, `lastAudio(kind, ms)` its end, and `clearAudio(kind)` discards it.
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
  const empty = () => ({ sampleRate: 1, chunks: [], endedAt: 0 });
  const recorded = { played: empty(), spoken: empty() };
  const taps = { played: new WeakMap(), spoken: new WeakMap() };
  const { connect } = AudioNode.prototype;

  const openTap = async (context, kind, isOver) => {
    await context.audioWorklet.addModule(worklet);
    const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => {
      if (isOver()) {
        tap.port.onmessage = null;
        return context.close();
      }
      recorded[kind].sampleRate = context.sampleRate;
      recorded[kind].chunks.push(data);
      recorded[kind].endedAt = Date.now();
    };
    return tap;
  };
  const record = async (kind, source, isOver = () => false) => {
    const { context } = source;
    if (!taps[kind].has(context)) taps[kind].set(context, openTap(context, kind, isOver));
    connect.call(source, await taps[kind].get(context));
  };
  const tapped = new WeakSet();
  const recordTrack = (kind, track) => {
    if (tapped.has(track)) return;
    tapped.add(track);
    const source = new AudioContext().createMediaStreamSource(new MediaStream([track]));
    record(kind, source, () => track.readyState === "ended");
  };

  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && target.context instanceof AudioContext) record("played", this);
    if (this instanceof MediaStreamAudioSourceNode && target instanceof AudioWorkletNode) {
      tapped.add(this.mediaStream.getAudioTracks()[0]);
      record("spoken", this);
    }
    return connect.call(this, target, ...rest);
  };
  const { replaceTrack } = RTCRtpSender.prototype;
  RTCRtpSender.prototype.replaceTrack = function (track) {
    if (track?.kind === "audio") recordTrack("spoken", track);
    return replaceTrack.call(this, track);
  };
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    get,
    set(stream) {
      const [track] = stream?.getAudioTracks() ?? [];
      if (track) recordTrack("played", track);
      set.call(this, stream);
    },
  });

  const microphones = [];
  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function (wanted) {
    const stream = await getUserMedia.call(this, wanted);
    microphones.push(...stream.getAudioTracks());
    return stream;
  };
  globalThis.openMicrophones = () => [
    ...new Set(microphones.filter(({ readyState }) => readyState === "live").map(({ label }) => label)),
  ];

  globalThis.audioMs = (kind) => {
    const { sampleRate, chunks } = recorded[kind];
    return ((chunks.length * 1024) / sampleRate) * 1000;
  };
  globalThis.clearAudio = (kind) => {
    recorded[kind] = empty();
  };
  // PCM16 as base64, its sample rate, and the time of the last sample in ms since 1970.
  globalThis.lastAudio = async (kind, durationMs) => {
    const { sampleRate, chunks, endedAt } = recorded[kind];
    const count = Math.ceil((durationMs / 1000) * (sampleRate / 1024));
    const reader = new FileReader();
    const loaded = new Promise((resolve) => {
      reader.onload = resolve;
    });
    reader.readAsDataURL(new Blob(chunks.slice(-count)));
    await loaded;
    return { sampleRate, endedAt, base64: reader.result.slice(reader.result.indexOf(",") + 1) };
  };
}
