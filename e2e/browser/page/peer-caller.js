/**
 * Runs in a page before its own scripts. `startCall({ sections, bundlePolicy })` calls the runner with a tone as microphone, and
 * resolves when the call is connected; `sections` has the kind and direction of each media section. `negotiate(options)` sends
 * another offer, and resolves once the runner's answer is applied. `arrivals` has the time of each audio packet from the runner,
 * in ms, before the jitter buffer can hide a gap. `directions()` returns the negotiated direction of each media section.
 *
 * With `client`, the page behaves like one of Pipecat's native clients, which use the same WebRTC library as Chromium: it names its
 * data channel `label`, sends `client-ready` on it, in `binary` or as text, and renegotiates when the bot asks for it. With
 * `keepsVP8`, it edits its offers as the iOS client does. `messages` has the received messages.
 */
{
  const arrivals = [];
  const messages = [];
  let connection;
  let client = { label: "chat" };
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

  /** Adds VP8 to the payload types of the video, and removes the lines of other codecs: see `ios` in `offers.ts`. */
  const keepVP8 = (sdp) => {
    const [head, video, rest = ""] = sdp.split(/^(?=m=video|m=application)/m);
    const vp8 = video.match(/^a=rtpmap:(\d+) VP8/m)[1];
    const kept = [vp8, video.match(new RegExp(`^a=fmtp:(\\d+) apt=${vp8}\r$`, "m"))[1]];
    const lines = video.split("\r\n").filter((line) => {
      const [, type] = line.match(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) /) ?? [];
      return type === undefined || kept.includes(type);
    });
    return `${head}${lines[0]} ${kept.join(" ")}\n${lines.slice(1).join("\r\n")}${rest}`;
  };
  const openChannel = ({ label, binary }) => {
    const channel = connection.createDataChannel(label);
    channel.onopen = () => {
      const data = { version: "2.0.0", about: { library: label } };
      const ready = JSON.stringify({ label: "rtvi-ai", type: "client-ready", id: "1", data });
      channel.send(binary ? new TextEncoder().encode(ready) : ready);
    };
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      messages.push(message);
      if (message.message?.type === "renegotiate") void negotiate();
    };
  };

  Object.assign(globalThis, {
    arrivals,
    messages,
    directions: () => connection.getTransceivers().map(({ currentDirection }) => currentDirection),
    async negotiate(options) {
      await connection.setLocalDescription(await connection.createOffer(options));
      const { sdp, type } = connection.localDescription;
      const answer = await send("POST", { sdp: client.keepsVP8 ? keepVP8(sdp) : sdp, type });
      pcId = answer.pc_id;
      await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    },
    async startCall({ sections, bundlePolicy, ...options }) {
      client = options.client ?? client;
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
      if (options.client) openChannel(client);
      else connection.createDataChannel(client.label);
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
