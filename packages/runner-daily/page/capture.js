/**
 * Captures the audio of the other participants, each track separately. `source` receives the number of each participant's
 * track; `audio` receives about 10 ms at a time: the number, the sample rate in Hz and mono PCM16.
 */
export function createCapture({ source, audio }) {
  /** By track id. */
  const sources = new Map();
  let lastNumber = 0;

  return {
    start({ participant, track, type }) {
      if (!participant || participant.local || track.kind !== "audio" || sources.has(track.id)) return;
      const number = ++lastNumber;
      source({ number, participant: participant.session_id, track: type });
      const send = (samples, sampleRate) => audio(packet(number, sampleRate, samples));
      const read = globalThis.MediaStreamTrackProcessor ? readWithProcessor : readWithWorklet;
      const stops = [decode(track), read(track, send)];
      sources.set(track.id, { number, stops });
    },
    stop({ track }) {
      const { number, stops = [] } = sources.get(track.id) ?? {};
      if (!sources.delete(track.id)) return;
      for (const stop of stops) stop();
      source({ number, ended: true });
    },
  };
}

/** Chromium decodes a remote track only when an element plays it, even muted. */
function decode(track) {
  const element = new Audio();
  element.muted = true;
  element.srcObject = new MediaStream([track]);
  void element.play();
  return () => {
    element.srcObject = null;
  };
}

/** https://developer.mozilla.org/docs/Web/API/MediaStreamTrackProcessor */
function readWithProcessor(track, send) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  (async () => {
    for (;;) {
      const { value: data, done } = await reader.read();
      if (done) return;
      const channels = [];
      for (let channel = 0; channel < data.numberOfChannels; channel++) {
        const plane = new Float32Array(data.numberOfFrames);
        data.copyTo(plane, { planeIndex: channel, format: "f32-planar" });
        channels.push(plane);
      }
      send(toPcm16(channels), data.sampleRate);
      data.close();
    }
  })();
  return () => void reader.cancel();
}

/** For browsers without MediaStreamTrackProcessor. */
function readWithWorklet(track, send) {
  const context = new AudioContext({ sinkId: { type: "none" } });
  void context.audioWorklet.addModule("capture-worklet.js").then(() => {
    const worklet = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    worklet.port.onmessage = ({ data }) => send(toPcm16(data), context.sampleRate);
    context.createMediaStreamSource(new MediaStream([track])).connect(worklet);
    return context.resume();
  });
  return () => void context.close();
}

function toPcm16(channels) {
  const samples = new Int16Array(channels[0].length);
  for (let at = 0; at < samples.length; at++) {
    let sum = 0;
    for (const channel of channels) sum += channel[at];
    samples[at] = Math.max(-1, Math.min(1, sum / channels.length)) * 32767;
  }
  return samples;
}

/** Little-endian, like the samples on all machines that run Chromium. */
function packet(number, sampleRate, samples) {
  const bytes = new Uint8Array(8 + samples.byteLength);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, number, true);
  head.setUint32(4, sampleRate, true);
  bytes.set(new Uint8Array(samples.buffer), 8);
  return bytes;
}
