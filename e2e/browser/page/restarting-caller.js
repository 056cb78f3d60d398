/**
 * Runs in a page before its own scripts. `startCall()` calls the runner with a tone as microphone, and resolves when the call is
 * connected. `restartIce()` restarts ICE, and resolves once the runner's answer is applied. `arrivals` has the time of each
 * audio packet from the runner, in ms, before the jitter buffer can hide a gap.
 */
{
  const arrivals = [];
  let connection;
  let pcId = null;

  const negotiate = async (options) => {
    await connection.setLocalDescription(await connection.createOffer(options));
    const { sdp, type } = connection.localDescription;
    const response = await fetch("/api/offer", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sdp, type, pc_id: pcId }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    pcId = answer.pc_id;
    await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  };

  globalThis.arrivals = arrivals;
  globalThis.startCall = async () => {
    const context = new AudioContext();
    await context.resume();
    const tone = new OscillatorNode(context, { frequency: 440 });
    const microphone = new MediaStreamAudioDestinationNode(context);
    tone.connect(microphone);
    tone.start();
    connection = new RTCPeerConnection({ encodedInsertableStreams: true });
    const { sender, receiver } = connection.addTransceiver(microphone.stream.getAudioTracks()[0]);
    const { readable, writable } = sender.createEncodedStreams();
    readable.pipeTo(writable);
    const received = receiver.createEncodedStreams();
    const note = new TransformStream({
      transform(frame, controller) {
        arrivals.push(performance.now());
        controller.enqueue(frame);
      },
    });
    received.readable.pipeThrough(note).pipeTo(received.writable);
    const speaker = new Audio();
    speaker.srcObject = new MediaStream([receiver.track]);
    speaker.play();
    connection.onicecandidate = ({ candidate }) => {
      if (candidate === null || pcId === null) return;
      const { candidate: text, sdpMid, sdpMLineIndex } = candidate;
      fetch("/api/offer", {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          pc_id: pcId,
          candidates: [{ candidate: text, sdp_mid: sdpMid, sdp_mline_index: sdpMLineIndex }],
        }),
      });
    };
    const connected = new Promise((resolve) => {
      connection.onconnectionstatechange = () => connection.connectionState === "connected" && resolve();
    });
    await negotiate({});
    await connected;
  };
  globalThis.restartIce = () => negotiate({ iceRestart: true });
}
