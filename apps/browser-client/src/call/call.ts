import { type DeviceError, type PipecatClient, RTVIEvent, type RTVIMessage } from "@pipecat-ai/client-js";
import { fetchHandled, startSession } from "../api.ts";
import {
  botNotReady,
  cameraFailed,
  canceled,
  connectFailed,
  connectionLost,
  isReportOfBot,
  microphoneFailed,
  type Notice,
  NoticeError,
  reported,
  webrtcBotLeft,
  youHungUp,
} from "../notices.ts";
import { CallSound } from "./call-sound.ts";
import { type Activity, type CallState, idle, isInCall } from "./call-state.ts";
import type { Console, OpenConsole } from "./consoles.ts";
import { NetworkMonitor, type NetworkQuality, sampleEveryMs } from "./network.ts";
import { type BotOutput, closeLast, heard, said, type Transcript, typed } from "./transcript.ts";

const connectTimeoutMs = 15_000;
/** The runner waits two minutes for the caller of a session. A permission prompt may be open for longer. */
const renewSessionMs = 60_000;
const botReadyTimeoutMs = 10_000;
const late = botNotReady(botReadyTimeoutMs / 1000);
/** A permission that was given before needs no words. */
const microphoneWordsAfterMs = 300;
/** A bot that stops speaking within this time after the caller began to speak, or pressed Interrupt, was interrupted. */
const stopsWithinMs = 1_500;
/** When to ask what the bot handles, each in ms after the time before. */
const handledAfterMs = [0, 1_000, 4_000];
/** How long an interruption is shown at least. */
const interruptedMs = 1_500;
/** An error of the bot explains the end of a call that follows it within this time. */
const explainsEndMs = 2_000;

/** What a call tells the page. */
export interface CallView {
  change(patch: Partial<CallState>): unknown;
  transcribe(change: (transcript: Transcript) => Transcript): unknown;
  log(type: string, data?: unknown): unknown;
  measure(quality: CallQuality): unknown;
}

/** `responseMs`: from the end of the caller's speech to the bot's first sound, in the last turn that had both. */
export interface CallQuality extends NetworkQuality {
  readonly responseMs?: number | undefined;
}

/** One call, from Connect to its end. Every failure ends it with a notice; it never rejects. */
export class Call {
  readonly #console: Console;
  readonly #view: CallView;
  readonly #microphoneId: string | undefined;
  readonly #abort = new AbortController();
  #sessionId: string | undefined;
  #opened: OpenConsole | undefined;
  #sound: CallSound | undefined;
  #state: Pick<CallState, "phase" | "startedAt" | "notice">;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sampling: ReturnType<typeof setInterval> | undefined;
  /** `until`: how long an interruption is shown at least, in the time of `performance`. */
  readonly #activity: { latest: Activity; until: number } = { latest: "listening", until: 0 };
  #interruptedAt = Number.NEGATIVE_INFINITY;
  #lastReported: { notice: Notice; atMs: number } | undefined;
  /** Why a microphone or camera failed, by the kind of the track. */
  readonly #deviceProblems = new Map<string, Notice>();

  /** `microphoneId`: the microphone that the user has chosen before. */
  constructor(console: Console, view: CallView, microphoneId?: string) {
    this.#console = console;
    this.#view = view;
    this.#microphoneId = microphoneId;
    this.#state = { phase: "starting" };
    this.#change({ ...idle, phase: "starting", microphoneId });
  }

  /** Resolves when the bot is ready or the call has ended. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    try {
      let params = await this.#startSession();
      if (signal.aborted) return;
      const startedMs = performance.now();
      const { client } = this.#open();
      if (this.#microphoneId !== undefined) client.updateMic(this.#microphoneId);
      this.#after(microphoneWordsAfterMs, () => this.#change({ phase: "microphone" }));
      await client.initDevices();
      if (!signal.aborted && performance.now() - startedMs > renewSessionMs) params = await this.#startSession();
      if (signal.aborted) return await this.#close();
      this.#change({ phase: "connecting" });
      this.#after(connectTimeoutMs, () => this.end(this.#console.timedOut(connectTimeoutMs / 1000)));
      await client.connect(params);
    } catch (error) {
      this.end(error instanceof NoticeError ? error.notice : connectFailed(await rejectionOf(error)));
    }
  }

  /** Starts a session, and returns what the client connects with. */
  async #startSession(): Promise<ReturnType<Console["connectParams"]>> {
    const { sessionId, reply } = await startSession(this.#console.name, this.#abort.signal);
    if (!this.#abort.signal.aborted) {
      this.#sessionId = sessionId;
      this.#view.log("session started", sessionId);
    }
    return this.#console.connectParams(reply);
  }

  hangUp(): void {
    this.end(isInCall(this.#state.phase) ? youHungUp : canceled);
  }

  /** Ends the call. The first reason counts: later failures are consequences of it. */
  end(reason: Notice): void {
    if (this.#abort.signal.aborted) return;
    const explained = this.#lastReported && performance.now() - this.#lastReported.atMs < explainsEndMs;
    const notice = explained && reason !== youHungUp ? (this.#lastReported?.notice ?? reason) : reason;
    const { startedAt } = this.#state;
    this.#change({
      ...{ phase: "ended", notice, camera: undefined, screen: false, keypad: false },
      ...{ acceptsCamera: false, acceptsScreen: false, acceptsText: false, acceptsInterrupt: false },
      durationMs: startedAt === undefined ? undefined : Date.now() - startedAt,
    });
    this.#view.log("call ended", notice.text);
    this.#view.transcribe(closeLast);
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#sampling);
    this.#sound?.close();
    void this.#close();
  }

  mute(muted: boolean): void {
    this.#opened?.client.enableMic(!muted);
    this.#change({ muted });
  }

  chooseMicrophone(id: string): void {
    this.#opened?.client.updateMic(id);
    this.#change({ microphoneId: id });
  }

  showCamera(enable: boolean): void {
    this.#opened?.client.enableCam(enable);
  }

  shareScreen(enable: boolean): void {
    this.#opened?.client.enableScreenShare(enable);
  }

  /**
   * Asks the bot to stop speaking, with the client message "interrupt". RTVI has no standard message for this.
   */
  interrupt(): void {
    this.#interruptedAt = performance.now();
    this.#opened?.client.sendClientMessage("interrupt");
  }

  pressKey(key: string): void {
    this.#opened?.client.sendDTMF(key);
  }

  async sendText(text: string): Promise<void> {
    this.#view.transcribe((transcript) => typed(transcript, text));
    await this.#opened?.client.sendText(text);
  }

  /** The levels of the caller and of the bot, in dBFS. */
  levels(): { readonly caller: number; readonly bot: number } | undefined {
    return this.#sound?.levels();
  }

  #open(): OpenConsole {
    this.#sound = new CallSound(this.#console.playsBot, (responseMs) => this.#view.measure({ responseMs }));
    const opened = this.#console.open(({ type, data }) => this.#view.log(type, data));
    this.#opened = opened;
    this.#listen(opened.client);
    this.#console.followVideo?.(opened.client, ({ camera, screen }) =>
      this.#change({ acceptsCamera: camera, acceptsScreen: screen }),
    );
    return opened;
  }

  #listen(client: PipecatClient): void {
    const sound = this.#sound;
    client.on(RTVIEvent.TransportStateChanged, (state) => {
      this.#view.log("transport", state);
      // If it is disconnected while it connects, the library becomes ready anyway.
      if (state === "ready" && this.#abort.signal.aborted) queueMicrotask(() => void client.disconnect());
      else if (state === "ready") this.#await();
      // The WebRTC transport could not reconnect. It closes its connections right after this event.
      if (state === "error" && this.#state.phase !== "connecting") queueMicrotask(() => this.end(connectionLost));
      if (state === "disconnected" && isInCall(this.#state.phase)) this.end(webrtcBotLeft);
    });
    client.on(RTVIEvent.BotReady, (data) => {
      clearTimeout(this.#timer);
      const about = Object(data.about) as { readonly name?: unknown };
      const botName = typeof about.name === "string" ? about.name : undefined;
      this.#change({ phase: "active", startedAt: Date.now(), keypad: hasDtmf(data.version), botName });
      if (this.#state.notice === late) this.#change({ notice: undefined });
      void this.#followHandled();
    });
    client.on(RTVIEvent.BotDisconnected, () => this.end(webrtcBotLeft));
    client.on(RTVIEvent.Error, ({ type, data }: RTVIMessage) => {
      if (type !== "error-response") this.#report(data);
    });
    client.on(RTVIEvent.MessageError, ({ data }: RTVIMessage) => this.#report(data));
    client.on(RTVIEvent.DeviceError, (error: DeviceError) => {
      const { devices, type, message } = error;
      this.#view.log("device error", { devices, type, message });
      if (devices.includes("mic")) this.#reportDevice("audio", microphoneFailed(type, message));
      if (devices.includes("cam")) this.#reportDevice("video", cameraFailed(type, message));
    });
    client.on(RTVIEvent.TrackStarted, (track, participant) => {
      if (participant?.local) this.#deviceWorks(track.kind);
      if (track.kind === "audio") sound?.start(participant?.local ? "caller" : "bot", track);
      else if (participant?.local) this.#change({ camera: track });
    });
    client.on(RTVIEvent.TrackStopped, (track, participant) => {
      if (track.kind === "audio") sound?.stop(participant?.local ? "caller" : "bot", track);
      else if (participant?.local) this.#change({ camera: undefined });
    });
    client.on(RTVIEvent.ScreenTrackStarted, () => this.#change({ screen: true }));
    client.on(RTVIEvent.ScreenTrackStopped, () => this.#change({ screen: false }));
    client.on(RTVIEvent.AvailableMicsUpdated, (devices) => {
      this.#change({ microphones: devices.map(({ deviceId, label }) => ({ id: deviceId, label })) });
    });
    client.on(RTVIEvent.MicUpdated, ({ deviceId }) => this.#change({ microphoneId: deviceId }));
    client.on(RTVIEvent.UserStartedSpeaking, () => {
      if (this.#activity.latest === "bot-speaking") this.#interruptedAt = performance.now();
      this.#show("caller-speaking");
    });
    client.on(RTVIEvent.UserStoppedSpeaking, () => this.#show("listening"));
    client.on(RTVIEvent.BotStartedSpeaking, () => this.#show("bot-speaking"));
    client.on(RTVIEvent.BotStoppedSpeaking, () => {
      // The protocol of the client library has no message for an interruption.
      const interrupted = performance.now() - this.#interruptedAt < stopsWithinMs;
      this.#show(interrupted ? "interrupted" : "listening");
      this.#interruptedAt = Number.NEGATIVE_INFINITY;
      this.#view.transcribe(closeLast);
    });
    client.on(RTVIEvent.UserTranscript, (data) => this.#view.transcribe((transcript) => heard(transcript, data)));
    client.on(RTVIEvent.BotOutput, (data) => {
      this.#view.transcribe((transcript) => said(transcript, data as BotOutput));
    });
  }

  /** Connected: waits for the bot, and watches the connection. */
  #await(): void {
    if (this.#state.phase === "waiting" || isInCall(this.#state.phase)) return;
    this.#change({ phase: "waiting" });
    this.#after(botReadyTimeoutMs, () => this.#change({ notice: late }));
    const { connection } = this.#console;
    if (!connection) return;
    let watched: RTCPeerConnection | undefined;
    let monitor = new NetworkMonitor();
    this.#sampling = setInterval(async () => {
      const current = this.#opened && connection(this.#opened.client.transport);
      if (!current) return;
      // A new connection has replaced a failed one. The old one's silence counts until the first packet on the new one.
      if (current !== watched) monitor = new NetworkMonitor(monitor.receivedAt);
      watched = current;
      const { silent, ...quality } = monitor.sample(performance.now(), (await current.getStats()).values());
      this.#view.measure(quality);
      if (!isInCall(this.#state.phase)) return;
      if (silent !== (this.#state.phase === "reconnecting")) {
        this.#view.log(silent ? "no packets from the runner" : "packets from the runner again");
        this.#change({ phase: silent ? "reconnecting" : "active" });
      }
    }, sampleEveryMs);
  }

  /** Shows the controls that the bot handles. A bot may register its listeners after it is ready. */
  async #followHandled(): Promise<void> {
    const { signal } = this.#abort;
    for (const waitMs of handledAfterMs) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (signal.aborted) return;
      // A control that may do nothing is better than none, if the runner does not answer.
      const handled = await fetchHandled(this.#sessionId ?? "", signal).catch(() => undefined);
      const handles = (type: string) => handled?.includes(type) ?? true;
      this.#change({ acceptsText: handles("send-text"), acceptsInterrupt: handles("client-message") });
    }
  }

  #reportDevice(kind: string, notice: Notice): void {
    this.#deviceProblems.set(kind, notice);
    this.#change({ notice });
  }

  #deviceWorks(kind: string): void {
    const { notice } = this.#state;
    if (notice && notice === this.#deviceProblems.get(kind)) this.#change({ notice: undefined });
  }

  #report(data: unknown): void {
    const { error, message, fatal } = Object(data) as Readonly<Record<string, unknown>>;
    const { notice, ends } = reported(String(error ?? message ?? "unknown error"), fatal === true);
    if (this.#abort.signal.aborted) {
      // The WebSocket transport decodes messages after it has learned that the socket is closed.
      const { notice: shown } = this.#state;
      const explains = isReportOfBot(notice) && !(shown && isReportOfBot(shown)) && shown !== youHungUp;
      if (explains) this.#view.change({ notice });
    } else if (ends) {
      this.end(notice);
    } else {
      this.#lastReported = { notice, atMs: performance.now() };
      this.#change({ notice });
    }
  }

  /**
   * Shows what happens in the call. An interruption stays until something else begins, and for a moment, because the bot may
   * speak again at once.
   */
  #show(activity: Activity): void {
    const state = this.#activity;
    if (activity === "listening" && state.latest === "interrupted") return;
    const waitMs = state.until - performance.now();
    state.latest = activity;
    if (activity === "interrupted") state.until = performance.now() + interruptedMs;
    else if (waitMs > 0) return void setTimeout(() => this.#change({ activity: state.latest }), waitMs);
    this.#change({ activity });
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms);
  }

  #change(patch: Partial<CallState>): void {
    if (this.#abort.signal.aborted) return;
    this.#state = { ...this.#state, ...patch };
    this.#view.change(patch);
  }

  /** The WebRTC transport leaves the microphone open if it was not connected yet. */
  async #close(): Promise<void> {
    if (!this.#opened) return;
    const { client, media } = this.#opened;
    if (client.state !== "disconnected" && client.state !== "disconnecting") await client.disconnect();
    await media.disconnect();
  }
}

/** Whether a bot with this RTVI version accepts phone keys. The client does not send them to older bots. */
function hasDtmf(version: string): boolean {
  return Number.parseInt(version, 10) >= 2;
}

/** Returns the runner's reason for rejecting a WebRTC offer. The library's error has only the status, and the response as its cause. */
async function rejectionOf(error: unknown): Promise<unknown> {
  const { cause } = Object(error) as { readonly cause?: unknown };
  if (!(cause instanceof Response)) return error;
  const body: unknown = await cause.json().catch(() => undefined); // a proxy may answer with something other than JSON
  const { detail } = Object(body) as { readonly detail?: unknown };
  return typeof detail === "string" ? new Error(detail) : error;
}
