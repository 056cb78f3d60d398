import { type AudioFrame, createResampler, mixToMono, type Resampler } from "@pipecat-ts/audio";

/** Two channels that are recorded at the same time, as interleaved samples: the caller left, the bot right. */
export interface StereoTrack {
  /** Adds audio of one channel that was received or sent at `atMs`. */
  push(channel: 0 | 1, frame: AudioFrame, atMs: number): void;
  /** Takes the audio that is complete at `nowMs`. A channel without audio for half a second is silent. */
  take(nowMs: number): Int16Array<ArrayBuffer>;
  /** Takes all audio. */
  takeAll(): Int16Array<ArrayBuffer>;
}

/**
 * Audio that comes this much later than the audio before it follows a pause. Less is jitter, or a busy process: the runner sends
 * what is up to 200 ms late in a burst.
 */
const pauseMs = 250;
/** How long a channel may be behind the clock before it counts as silent. */
const lateMs = 500;

interface Channel {
  resampler: Resampler | undefined;
  fromRate: number;
  /** Samples that were not taken. */
  queue: Int16Array[];
  /** The position after them, in samples since the start. */
  end: number;
}

/** Starts a recording at `startMs`. Holds about half a second, or more if `take` is called less often. */
export function createStereoTrack(sampleRate: number, startMs: number): StereoTrack {
  const channels: readonly [Channel, Channel] = [createChannel(sampleRate), createChannel(sampleRate)];
  /** The position up to which samples were taken. */
  let taken = 0;

  function positionAt(atMs: number): number {
    return Math.round(((atMs - startMs) * sampleRate) / 1000);
  }

  function append(channel: Channel, samples: Int16Array): void {
    if (samples.length === 0) return;
    channel.queue.push(samples);
    channel.end += samples.length;
  }

  function fillTo(channel: Channel, position: number): void {
    if (position <= channel.end) return;
    if (channel.resampler) append(channel, channel.resampler.flush());
    if (position > channel.end) append(channel, new Int16Array(position - channel.end));
  }

  /** Moves samples up to `position` of one channel to every second place of `stereo`. */
  function moveTo(stereo: Int16Array, index: 0 | 1, position: number): void {
    const { queue } = channels[index];
    for (let at = taken; at < position; ) {
      const [first] = queue;
      if (!first) return;
      const part = first.subarray(0, position - at);
      for (let n = 0; n < part.length; n++) stereo[(at - taken + n) * 2 + index] = part[n] ?? 0;
      at += part.length;
      if (part.length === first.length) queue.shift();
      else queue[0] = first.subarray(part.length);
    }
  }

  function takeTo(position: number): Int16Array<ArrayBuffer> {
    const stereo = new Int16Array(Math.max(0, position - taken) * 2);
    for (const channel of channels) fillTo(channel, position);
    moveTo(stereo, 0, position);
    moveTo(stereo, 1, position);
    taken = Math.max(taken, position);
    return stereo;
  }

  return {
    push(index, frame, atMs) {
      const channel = channels[index];
      const position = positionAt(atMs);
      const isFirst = channel.end === 0;
      if (isFirst || position - channel.end > (pauseMs * sampleRate) / 1000) fillTo(channel, position);
      if (frame.sampleRate !== channel.fromRate) {
        if (channel.resampler) append(channel, channel.resampler.flush());
        channel.fromRate = frame.sampleRate;
        channel.resampler =
          frame.sampleRate === sampleRate
            ? undefined
            : createResampler({ fromRate: frame.sampleRate, toRate: sampleRate });
      }
      const { samples } = mixToMono(frame);
      append(channel, channel.resampler?.process(samples) ?? samples);
    },
    take(nowMs) {
      const [{ end: left }, { end: right }] = channels;
      return takeTo(Math.max(Math.min(left, right), positionAt(nowMs - lateMs)));
    },
    takeAll() {
      for (const channel of channels) if (channel.resampler) append(channel, channel.resampler.flush());
      const [{ end: left }, { end: right }] = channels;
      return takeTo(Math.max(left, right));
    },
  };
}

function createChannel(sampleRate: number): Channel {
  return { resampler: undefined, fromRate: sampleRate, queue: [], end: 0 };
}
