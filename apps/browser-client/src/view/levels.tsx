import { type ReactNode, useEffect, useRef } from "react";
import type { Phone } from "../phone.ts";
import { useStore } from "./use-store.ts";

/** Levels below it are drawn as nothing. In dBFS. */
const floorDb = -60;
/** Often enough to look alive, and cheap on machines without a graphics processor. */
const drawEveryMs = 60;
/** How often screen readers and tests get the microphone's level, in ms. */
const reportEveryMs = 500;

/** From 0 (silent) to 1 (as loud as possible). */
function shareOf(db: number): number {
  return Math.min(1, Math.max(0, 1 - db / floorDb));
}

/** Calls `draw` with the levels of both sides, from 0 to 1, again and again during a call. */
function useLevels(phone: Phone, draw: (levels: { readonly caller: number; readonly bot: number }) => void): void {
  const latest = useRef(draw);
  latest.current = draw;
  const { phase } = useStore(phone.state);
  useEffect(() => {
    if (phase === "idle" || phase === "ended") return latest.current({ caller: 0, bot: 0 });
    const interval = setInterval(() => {
      const levels = phone.call?.levels();
      if (levels) latest.current({ caller: shareOf(levels.caller), bot: shareOf(levels.bot) });
    }, drawEveryMs);
    return () => clearInterval(interval);
  }, [phone, phase]);
}

/** The level of the microphone. */
export function MicrophoneLevel({ phone }: { readonly phone: Phone }) {
  const meter = useRef<HTMLMeterElement>(null);
  const bar = useRef<HTMLDivElement>(null);
  const reportedAt = useRef(0);
  useLevels(phone, ({ caller }) => {
    if (bar.current) bar.current.style.transform = `scaleX(${caller.toFixed(3)})`;
    const now = performance.now();
    if (!meter.current || (caller > 0 && now - reportedAt.current < reportEveryMs)) return;
    reportedAt.current = now;
    meter.current.value = caller;
  });
  return (
    <div className="level">
      <label htmlFor="microphone-level" className="visually-hidden">
        Microphone level
      </label>
      <meter ref={meter} id="microphone-level" className="visually-hidden" value={0} />
      <div ref={bar} className="level-bar" />
    </div>
  );
}

/** A ring around the main button that grows with the bot's voice. */
export function VoiceRing({ phone, children }: { readonly phone: Phone; readonly children: ReactNode }) {
  const ring = useRef<HTMLDivElement>(null);
  useLevels(phone, ({ bot }) => {
    if (ring.current) ring.current.style.transform = `scale(${(0.84 + 0.16 * bot).toFixed(3)})`;
  });
  return (
    <div className="voice-ring">
      <div ref={ring} className="voice" />
      {children}
    </div>
  );
}
