import { useEffect, useRef, useState } from "react";
import { announcement, type CallState, clock, inWords, isBusy, isInCall } from "../call/call-state.ts";
import type { Notice } from "../notices.ts";
import type { Phone } from "../phone.ts";
import { Controls } from "./controls.tsx";
import { Icon } from "./icons.tsx";
import { KeyForm } from "./key-form.tsx";
import { VoiceRing } from "./levels.tsx";
import { Quality } from "./quality.tsx";
import { useStore } from "./use-store.ts";

/** The center of the page: the bot, the state in words, the one main action, and the controls of a call. */
export function CallCard({ phone, transport }: { readonly phone: Phone; readonly transport: string }) {
  const state = useStore(phone.state);
  const { phase, notice, botName } = state;
  const key = phase === "ended" ? notice?.key : undefined;
  const connect = () => void phone.connect(transport);
  return (
    <section className="card call-card" data-phase={phase} aria-label="Call">
      <div className="call-top">
        <h1>{botName ?? "Your bot"}</h1>
        <p className="state">{inWords(state)}</p>
        <p className="visually-hidden" role="status">
          {announcement(state)}
        </p>
        <Timer state={state} />
      </div>
      {notice && key ? (
        <div className="call-key">
          <NoticeText notice={notice} />
          <KeyForm wrong={key === "wrong"} onKey={connect} />
        </div>
      ) : (
        <>
          <VoiceRing phone={phone}>
            <MainButton phase={phase} onConnect={connect} onEnd={() => phone.hangUp()} />
          </VoiceRing>
          <div className="call-notice">{notice && <NoticeText notice={notice} />}</div>
          <div className="call-bottom">
            <Controls phone={phone} state={state} />
            <Quality phone={phone} />
          </div>
        </>
      )}
    </section>
  );
}

/** Connect, Cancel and Disconnect are one element, so that it keeps the keyboard's focus. */
function MainButton(props: {
  readonly phase: CallState["phase"];
  readonly onConnect: () => void;
  readonly onEnd: () => void;
}) {
  const busy = isBusy(props.phase);
  const inCall = isInCall(props.phase) || props.phase === "waiting";
  const name = inCall ? "Disconnect" : busy ? "Cancel" : "Connect";
  return (
    <button
      type="button"
      className={`main-button ${busy ? "ends" : ""}`}
      onClick={busy ? props.onEnd : props.onConnect}
    >
      <Icon name={inCall ? "hangUp" : busy ? "cancel" : "phone"} />
      {name}
    </button>
  );
}

function NoticeText({ notice: { tone, text } }: { readonly notice: Notice }) {
  return (
    <p className={`notice ${tone}`} role={tone === "error" ? "alert" : "status"}>
      {text}
    </p>
  );
}

/** The duration of the call. It keeps its place before a call. */
function Timer({ state: { phase, startedAt, durationMs } }: { readonly state: CallState }) {
  const [now, setNow] = useState(Date.now);
  const runs = isInCall(phase);
  const timer = useRef<HTMLTimeElement>(null);
  useEffect(() => {
    if (!runs) return;
    setNow(Date.now());
    const interval = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(interval);
  }, [runs]);
  const ms = phase === "ended" ? durationMs : runs && startedAt !== undefined ? now - startedAt : undefined;
  return (
    <time className="timer" ref={timer} data-empty={ms === undefined}>
      <span className="visually-hidden">{phase === "ended" ? "Duration " : "Call time "}</span>
      {clock(ms ?? 0)}
    </time>
  );
}
