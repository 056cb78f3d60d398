/** The bot's audio: a track that plays queued blocks, and silence otherwise. */
export async function createPlayout(sampleRate, onPlayed) {
  // No sound card: nothing is audible on this machine.
  const context = new AudioContext({ sampleRate, sinkId: { type: "none" } });
  await context.audioWorklet.addModule("playout-worklet.js");
  const player = new AudioWorkletNode(context, "playout", { numberOfInputs: 0, outputChannelCount: [1] });
  const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  player.connect(destination);
  player.port.onmessage = ({ data }) => onPlayed(data);
  await context.resume();
  return {
    track: destination.stream.getAudioTracks()[0],
    play: (bytes) => player.port.postMessage({ samples: bytes }, [bytes]),
    mark: (mark) => player.port.postMessage({ mark }),
    clear: () => player.port.postMessage({ clear: true }),
  };
}
