/**
 * Put into a page before its own scripts: keeps what the page plays (`heard`), be it by an AudioContext or by an element,
 * and what its microphone gives it (`spoken`), be it to an AudioContext or to a WebRTC sender: silence included, from the
 * first use on. `soundMs(kind)` says how much of it there is, and `takeSound(kind)` hands it over: PCM16 as base64, its
 * rate, and when the last of it sounded, in ms since 1970.
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
  const sounds = { heard: empty(), spoken: empty() };
  const taps = { heard: new WeakMap(), spoken: new WeakMap() };
  const { connect } = AudioNode.prototype;

  const openTap = async (context, kind, isOver) => {
    await context.audioWorklet.addModule(worklet);
    const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => {
      if (isOver()) {
        tap.port.onmessage = null;
        return context.close();
      }
      sounds[kind].sampleRate = context.sampleRate;
      sounds[kind].chunks.push(data);
      sounds[kind].endedAt = Date.now();
    };
    return tap;
  };
  const listen = async (kind, source, isOver = () => false) => {
    const { context } = source;
    if (!taps[kind].has(context)) taps[kind].set(context, openTap(context, kind, isOver));
    connect.call(source, await taps[kind].get(context));
  };
  const tapped = new WeakSet();
  const listenToTrack = (kind, track) => {
    if (tapped.has(track)) return;
    tapped.add(track);
    const source = new AudioContext().createMediaStreamSource(new MediaStream([track]));
    listen(kind, source, () => track.readyState === "ended");
  };

  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode && target.context instanceof AudioContext) listen("heard", this);
    if (this instanceof MediaStreamAudioSourceNode && target instanceof AudioWorkletNode) {
      tapped.add(this.mediaStream.getAudioTracks()[0]);
      listen("spoken", this);
    }
    return connect.call(this, target, ...rest);
  };
  const { replaceTrack } = RTCRtpSender.prototype;
  RTCRtpSender.prototype.replaceTrack = function (track) {
    if (track?.kind === "audio") listenToTrack("spoken", track);
    return replaceTrack.call(this, track);
  };
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    get,
    set(stream) {
      const [track] = stream?.getAudioTracks() ?? [];
      if (track) listenToTrack("heard", track);
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

  globalThis.soundMs = (kind) => {
    const { sampleRate, chunks } = sounds[kind];
    return ((chunks.length * 1024) / sampleRate) * 1000;
  };
  globalThis.takeSound = async (kind) => {
    const { sampleRate, chunks, endedAt } = sounds[kind];
    sounds[kind] = empty();
    const reader = new FileReader();
    const loaded = new Promise((resolve) => {
      reader.onload = resolve;
    });
    reader.readAsDataURL(new Blob(chunks));
    await loaded;
    return { sampleRate, endedAt, base64: reader.result.slice(reader.result.indexOf(",") + 1) };
  };
}
