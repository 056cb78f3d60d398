/**
 * What the others in the room say, each track by itself. `source` is told which number stands for which participant and
 * track; `audio` gets the number, the rate in Hz and mono PCM16, each time some 10 ms.
 */
export function createCapture({ source, audio }) {
  /** How to stop listening, by track id. */
  const sources = new Map();
  let lastNumber = 0;

  return {
    start({ participant, track, type }) {
      if (!participant || participant.local || track.kind !== "audio" || sources.has(track.id)) return;
      const number = ++lastNumber;
      source({ number, participant: participant.session_id, track: type });
      const send = (samples, sampleRate) => audio(packet(number, sampleRate, samples));
      const listen = globalThis.MediaStreamTrackProcessor ? readTrack : tapTrack;
      const stops = [pull(track), listen(track, send)];
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

/** Chromium decodes what is received only where an element plays it, be it to nobody. */
function pull(track) {
  const element = new Audio();
  element.muted = true;
  element.srcObject = new MediaStream([track]);
  void element.play();
  return () => {
    element.srcObject = null;
  };
}

/** https://developer.mozilla.org/docs/Web/API/MediaStreamTrackProcessor */
function readTrack(track, send) {
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

/** Where there is no MediaStreamTrackProcessor. */
function tapTrack(track, send) {
  const context = new AudioContext({ sinkId: { type: "none" } });
  void context.audioWorklet.addModule("capture-worklet.js").then(() => {
    const tap = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => send(toPcm16(data), context.sampleRate);
    context.createMediaStreamSource(new MediaStream([track])).connect(tap);
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

/** Little-endian, like the samples on every machine that runs Chromium. */
function packet(number, sampleRate, samples) {
  const bytes = new Uint8Array(8 + samples.byteLength);
  const head = new DataView(bytes.buffer);
  head.setUint32(0, number, true);
  head.setUint32(4, sampleRate, true);
  bytes.set(new Uint8Array(samples.buffer), 8);
  return bytes;
}
