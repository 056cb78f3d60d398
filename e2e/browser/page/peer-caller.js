/**
 * Runs in a page before its own scripts. `startCall({ sections, bundlePolicy })` calls the runner with a tone as microphone, and
 * resolves when the call is connected; `sections` has the kind and direction of each media section. `negotiate(options)` sends
 * another offer, and resolves once the runner's answer is applied. `arrivals` has the time of each audio packet from the runner,
 * in ms, before the jitter buffer can hide a gap. `directions()` returns the negotiated direction of each media section.
 */
{
  const arrivals = [];
  let connection;
  let pcId = null;

  const send = async (method, body) => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("/api/offer", { method, headers, body: JSON.stringify({ pc_id: pcId, ...body }) });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const passOn = ({ readable, writable }, transform) =>
    readable.pipeThrough(new TransformStream({ transform })).pipeTo(writable);
  const openTone = async () => {
    const context = new AudioContext();
    await context.resume();
    const tone = new OscillatorNode(context, { frequency: 440 });
    const microphone = new MediaStreamAudioDestinationNode(context);
    tone.connect(microphone);
    tone.start();
    return microphone.stream.getAudioTracks()[0];
  };

  Object.assign(globalThis, {
    arrivals,
    directions: () => connection.getTransceivers().map(({ currentDirection }) => currentDirection),
    async negotiate(options) {
      await connection.setLocalDescription(await connection.createOffer(options));
      const { sdp, type } = connection.localDescription;
      const answer = await send("POST", { sdp, type });
      pcId = answer.pc_id;
      await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    },
    async startCall({ sections, bundlePolicy }) {
      connection = new RTCPeerConnection({ bundlePolicy, encodedInsertableStreams: true });
      const tone = await openTone();
      for (const [kind, direction] of sections) {
        const { sender, receiver } = connection.addTransceiver(kind, { direction });
        if (kind === "audio") await sender.replaceTrack(tone);
        passOn(sender.createEncodedStreams(), (frame, controller) => controller.enqueue(frame));
        passOn(receiver.createEncodedStreams(), (frame, controller) => {
          arrivals.push(performance.now());
          controller.enqueue(frame);
        });
        // Chromium decodes a track only while it is played.
        const speaker = new Audio();
        speaker.srcObject = new MediaStream([receiver.track]);
        if (kind === "audio") speaker.play();
      }
      connection.createDataChannel("chat");
      connection.onicecandidate = ({ candidate }) => {
        if (candidate === null || pcId === null) return;
        const { sdpMid: sdp_mid, sdpMLineIndex: sdp_mline_index } = candidate;
        void send("PATCH", { candidates: [{ candidate: candidate.candidate, sdp_mid, sdp_mline_index }] });
      };
      const connected = new Promise((resolve) => {
        connection.onconnectionstatechange = () => connection.connectionState === "connected" && resolve();
      });
      await negotiate();
      await connected;
    },
  });
}
