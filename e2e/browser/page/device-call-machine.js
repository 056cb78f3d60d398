/**
 * A fake of Daily's call machine, which daily-js 0.90.0 downloads from c.daily.co. It implements what the default media manager of
 * Pipecat's JavaScript clients needs of the private protocol: microphone, camera and screen, without a meeting.
 */
(() => {
  for (const id of window._daily.pendings.splice(0)) start(id, window._daily.instances[id]);

  function start(callClientId, instance) {
    const streams = { cam: { stream: new MediaStream() }, screen: { stream: new MediaStream() } };
    const state = { local: { public: {}, streams }, participants: {}, streams: {} };
    instance.callMachine = { store: { getState: () => state }, reset: () => undefined };
    const enabled = { audio: false, video: false };

    const notify = (message) =>
      window.postMessage({ ...message, what: "iframe-call-message", from: "embedded", callClientId }, "*");
    const tracksOf = (source, kind) => streams[source].stream.getTracks().filter((track) => track.kind === kind);

    function announce() {
      const stateOf = (source, kind) => {
        const [track] = tracksOf(source, kind);
        return { state: track && (source === "screen" || enabled[kind]) ? "playable" : "off", subscribed: true };
      };
      const tracks = {
        audio: stateOf("cam", "audio"),
        video: stateOf("cam", "video"),
        screenVideo: stateOf("screen", "video"),
        screenAudio: stateOf("screen", "audio"),
      };
      const is = ({ state }) => state === "playable";
      const shown = { audio: is(tracks.audio), video: is(tracks.video), screen: is(tracks.screenVideo) };
      const participant = { session_id: "local", user_id: "local", local: true, ...shown, tracks };
      notify({ action: "participant-updated", participant });
    }

    /** Opens a device on its first use, and then disables its track instead of closing it. */
    async function enable(kind, wanted) {
      if (wanted && tracksOf("cam", kind).length === 0) {
        const opened = await navigator.mediaDevices.getUserMedia({ [kind]: true });
        for (const track of opened.getTracks()) streams.cam.stream.addTrack(track);
      }
      enabled[kind] = wanted;
      for (const track of tracksOf("cam", kind)) track.enabled = wanted;
      announce();
    }

    async function share(wanted) {
      for (const track of streams.screen.stream.getTracks()) track.stop();
      streams.screen.stream = wanted
        ? await navigator.mediaDevices.getDisplayMedia({ video: true })
        : new MediaStream();
      announce();
    }

    function leave() {
      for (const source of Object.values(streams)) {
        for (const track of source.stream.getTracks()) track.stop();
        source.stream = new MediaStream();
      }
      notify({ action: "left-meeting" });
    }

    const actions = {
      async "start-camera"({ properties }) {
        await enable("audio", properties.startAudioOff !== true);
        if (properties.startVideoOff !== true) await enable("video", true);
        return { camera: {}, mic: { deviceId: "default" }, speaker: { deviceId: "default" } };
      },
      "local-audio": ({ state: wanted }) => enable("audio", wanted),
      "local-video": ({ state: wanted }) => enable("video", wanted),
      "local-screen-start": () => share(true),
      "local-screen-stop": () => share(false),
      "leave-meeting": leave,
    };
    window.addEventListener("message", async ({ data }) => {
      if (data?.what !== "iframe-call-message" || data.from !== "module" || data.callClientId !== callClientId) return;
      const fields = (await actions[data.action]?.(data)) ?? {};
      if (data.callbackStamp) notify({ action: "reply", callbackStamp: data.callbackStamp, ...fields });
    });
    notify({ action: "call-machine-initialized" });
  }
})();
