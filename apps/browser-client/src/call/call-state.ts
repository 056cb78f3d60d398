import type { Notice } from "../notices.ts";

/**
 * - `starting`: the runner starts a session.
 * - `microphone`: the browser asks the user for the microphone.
 * - `connecting`: the page connects to the runner.
 * - `waiting`: connected, and the bot is not ready yet.
 * - `reconnecting`: no packet has arrived for a while.
 */
export type Phase = "idle" | "starting" | "microphone" | "connecting" | "waiting" | "active" | "reconnecting" | "ended";

/** What the bot and the caller do during a call. */
export type Activity = "listening" | "caller-speaking" | "bot-speaking" | "interrupted";

/** A microphone that the user can choose. */
export interface Microphone {
  readonly id: string;
  readonly label: string;
}

/** What the page shows of the current or last call. */
export interface CallState {
  readonly phase: Phase;
  readonly activity: Activity;
  /** A problem during the call, or why it ended. */
  readonly notice?: Notice | undefined;
  /** When the bot was ready, in ms since 1970. */
  readonly startedAt?: number | undefined;
  /** How long the ended call was, in ms. Undefined if the bot never was ready. */
  readonly durationMs?: number | undefined;
  readonly botName?: string | undefined;
  /** Whether the bot accepts phone keys. */
  readonly keypad: boolean;
  /** Whether the bot handles typed text, and the message "interrupt". */
  readonly acceptsText: boolean;
  readonly acceptsInterrupt: boolean;
  readonly muted: boolean;
  readonly microphones: readonly Microphone[];
  readonly microphoneId?: string | undefined;
  /** The sources that the bot accepts. */
  readonly acceptsCamera: boolean;
  readonly acceptsScreen: boolean;
  readonly camera?: MediaStreamTrack | undefined;
  readonly screen: boolean;
}

export const idle: CallState = {
  phase: "idle",
  activity: "listening",
  keypad: false,
  acceptsText: false,
  acceptsInterrupt: false,
  muted: false,
  microphones: [],
  acceptsCamera: false,
  acceptsScreen: false,
  screen: false,
};

/** Whether the page holds a session, or starts one. */
export function isBusy(phase: Phase): boolean {
  return phase !== "idle" && phase !== "ended";
}

/** Whether the bot is ready. */
export function isInCall(phase: Phase): boolean {
  return phase === "active" || phase === "reconnecting";
}

/** The state of a call in words. */
export function inWords({ phase, activity, notice }: Pick<CallState, "phase" | "activity" | "notice">): string {
  switch (phase) {
    case "idle":
      return "Ready to call";
    case "starting":
      return "Starting a session…";
    case "microphone":
      return "Allow the microphone in your browser";
    case "connecting":
      return "Connecting…";
    case "waiting":
      return "Waiting for the bot…";
    case "reconnecting":
      return "Reconnecting…";
    case "ended":
      return notice?.title ?? "Call ended";
    case "active":
      return activities[activity];
  }
}

/** What screen readers say about the state. They do not say who speaks: the user hears that. */
export function announcement(state: Pick<CallState, "phase" | "activity" | "notice">): string {
  const audible = state.phase === "active" && state.activity !== "interrupted";
  return audible ? "In call" : inWords(state);
}

const activities: Readonly<Record<Activity, string>> = {
  listening: "The bot is listening",
  "caller-speaking": "You are speaking",
  "bot-speaking": "The bot is speaking",
  interrupted: "The bot was interrupted",
};

/** A duration in ms as `m:ss`, or `h:mm:ss` from an hour on. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
