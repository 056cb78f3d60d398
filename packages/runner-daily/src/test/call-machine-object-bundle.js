/**
 * A fake of Daily's call machine, the code that daily-js downloads when it joins. It implements what bots need of the private
 * protocol of one daily-js version. It connects each pair of participants directly, and signals over a WebSocket to
 * `room-server.ts`.
 */
(() => {
  const supported = "0.92.2";

  for (const id of window._daily.pendings.splice(0)) start(id, window._daily.instances[id]);

  function start(callClientId, instance) {
    const notify = (message) =>
      window.postMessage({ ...message, what: "iframe-call-message", from: "embedded", callClientId }, "*");
    const reply = (request, fields) => notify({ action: "reply", callbackStamp: request.callbackStamp, ...fields });
    const state = { local: { public: {}, streams: { cam: {} } }, participants: {}, streams: {} };
    instance.callMachine = { store: { getState: () => state }, reset: () => undefined };

    let socket;
    let local;
    /** The other participants, by id: their participant object and the connection to them. */
    const peers = new Map();

    window.addEventListener("message", ({ data }) => {
      if (data?.what === "iframe-call-message" && data.from === "module" && data.callClientId === callClientId) {
        handle(data);
      }
    });
    notify({ action: "call-machine-initialized" });

    function handle(message) {
      const { action, what, from, callClientId: _, callbackStamp, ...fields } = message;
      if (action === "join-meeting") join(message);
      else if (action === "leave-meeting") leave();
      else if (action === "app-msg") send({ kind: "app", data: message.data, to: message.to });
      else if (action === "update-participant") update(message.id, message.properties);
      else if (action === "update-participants") {
        for (const [id, properties] of Object.entries(message.participants)) update(id, properties);
      } else if (callbackStamp || answeredByEvent.includes(action))
        send({ kind: "request", action, callbackStamp, fields });
    }

    function join({ properties }) {
      if (properties.dailyJsVersion !== supported) {
        return fail("end-of-life", `this fake supports daily-js ${supported}, not ${properties.dailyJsVersion}`);
      }
      const url = new URL(properties.url);
      const track = instance.tracks.audioTrack;
      if (track) state.local.streams.cam.stream = new MediaStream([track]);
      socket = new WebSocket(`ws://${url.host}/signal`);
      socket.onopen = () =>
        send({
          kind: "join",
          room: url.pathname.slice(1),
          token: properties.token,
          userName: properties.userName,
          userData: properties.userData,
          hasAudio: Boolean(track),
        });
      socket.onmessage = ({ data }) => receive(JSON.parse(data));
      socket.onclose = () => local && fail("connection-error", "the room server is gone", { on: "reconnect" });
    }

    function send(message) {
      if (socket?.readyState === 1) socket.send(JSON.stringify(message));
    }

    function receive(message) {
      const { kind, id } = message;
      if (kind === "refused") fail(message.type, message.text);
      else if (kind === "others") addAll(message.others);
      else if (kind === "welcome") welcome(message);
      else if (kind === "joined") add(message.participant, false);
      else if (kind === "left") remove(id);
      else if (kind === "signal") void negotiate(message);
      else if (kind === "app") notify({ action: "app-message", data: message.data, fromId: id });
      else if (kind === "event") notify(message.event);
      else if (kind === "answer") reply(message, message.fields);
      else if (kind === "ejected") fail("ejected", message.text ?? "You have been ejected from the meeting");
    }

    function welcome({ participant, others, maxMessageSize }) {
      local = { ...participant, local: true };
      notify({
        action: "joined-meeting",
        participants: { local: described(local, true) },
        internal: { _maxAppMessageSize: maxMessageSize },
      });
      addAll(others);
    }

    function addAll(others) {
      for (const other of others) if (!peers.has(other.session_id)) add(other, true);
    }

    /** A new participant sends offers to those who are present. */
    function add(participant, offers) {
      const connection = new RTCPeerConnection();
      const peer = { participant, connection, subscribed: false };
      peers.set(participant.session_id, peer);
      for (const track of state.local.streams.cam.stream?.getAudioTracks() ?? []) connection.addTrack(track);
      connection.onicecandidate = ({ candidate }) => signal(participant, { candidate });
      connection.ontrack = ({ track }) => {
        state.streams[track.id] = {
          participantId: participant.session_id,
          type: "cam",
          pendingTrack: track,
          starttime: new Date().toISOString(),
        };
        peer.track = track;
        announce("participant-updated", peer);
      };
      announce("participant-joined", peer);
      if (offers) void offer(peer);
    }

    function announce(action, peer) {
      notify({ action, participant: described(peer.participant, peer.subscribed && Boolean(peer.track)) });
    }

    function update(id, { eject, setSubscribedTracks }) {
      const peer = peers.get(id);
      if (eject) send({ kind: "eject", id });
      if (!peer || !setSubscribedTracks) return;
      peer.subscribed = setSubscribedTracks === true || Boolean(setSubscribedTracks.audio);
      announce("participant-updated", peer);
    }

    async function offer({ participant, connection }) {
      await connection.setLocalDescription();
      signal(participant, { description: connection.localDescription });
    }

    async function negotiate({ from, description, candidate }) {
      const peer = peers.get(from);
      if (!peer) return;
      const { connection, participant } = peer;
      if (candidate) return connection.addIceCandidate(candidate);
      if (!description) return;
      await connection.setRemoteDescription(description);
      if (description.type !== "offer") return;
      await connection.setLocalDescription();
      signal(participant, { description: connection.localDescription });
    }

    function signal({ session_id: to }, content) {
      send({ kind: "signal", to, ...content });
    }

    function remove(id) {
      const peer = peers.get(id);
      peers.delete(id);
      peer?.connection.close();
      if (peer) notify({ action: "participant-left", participant: described(peer.participant, false) });
    }

    function leave() {
      release();
      notify({ action: "left-meeting" });
    }

    function fail(type, msg, details) {
      release();
      notify({ action: "error", errorMsg: msg, error: { type, msg, ...(details && { details }) } });
    }

    function release() {
      local = undefined;
      socket?.close();
      for (const { connection } of peers.values()) connection.close();
      peers.clear();
    }
  }

  /** Requests that daily-js sends without a callback. */
  const answeredByEvent = [
    "local-recording-start",
    "local-recording-stop",
    "daily-method-start-transcription",
    "daily-method-stop-transcription",
  ];

  function described(participant, isAudible) {
    const off = () => ({ state: "off", subscribed: false });
    return {
      ...participant,
      audio: isAudible,
      video: false,
      screen: false,
      tracks: {
        audio: { state: isAudible ? "playable" : "loading", subscribed: isAudible },
        video: off(),
        screenVideo: off(),
        screenAudio: off(),
      },
    };
  }
})();
