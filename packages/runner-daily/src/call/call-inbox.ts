import type { DailyCallListener } from "./daily-call.ts";

/** Keeps what a call tells until there is somebody to be told. */
export interface CallInbox {
  readonly listener: DailyCallListener;
  /** Has `to` told of everything, what came until now first and in order. */
  open(to: DailyCallListener): void;
}

export function createCallInbox(): CallInbox {
  let early: ((to: DailyCallListener) => void)[] = [];
  let inside: DailyCallListener | undefined;

  function keep(tell: (to: DailyCallListener) => void): void {
    if (inside) tell(inside);
    else early.push(tell);
  }

  return {
    listener: {
      event: (event) => keep((to) => to.event(event)),
      audio: (participantId, track, frame) => keep((to) => to.audio(participantId, track, frame)),
      played: (mark) => keep((to) => to.played(mark)),
      lost: (error) => keep((to) => to.lost(error)),
    },
    open(to) {
      for (const tell of early) tell(to);
      early = [];
      inside = to;
    },
  };
}
