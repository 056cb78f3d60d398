import type { RTCDataChannel } from "werift";
import type { PeerListener } from "./peer-contract.ts";

/** The data channel of a caller: whichever it opened last. */
export interface CallerChannel {
  readonly bufferedBytes: number;
  /** Takes a channel that the caller opened in place of the one before. */
  take(channel: RTCDataChannel): void;
  /** Throws when none is open. */
  sendText(text: string): void;
}

export function createCallerChannel(listener: Pick<PeerListener, "channel" | "text">): CallerChannel {
  let current: RTCDataChannel | undefined;
  return {
    get bufferedBytes() {
      return current?.bufferedAmount ?? 0;
    },
    take(channel) {
      current = channel;
      channel.onMessage.subscribe((message) => {
        if (current === channel && typeof message === "string") listener.text(message);
      });
      channel.stateChange.subscribe((state) => {
        if (current !== channel || state === "connecting") return;
        if (state !== "open") current = undefined;
        listener.channel(state === "open" ? "open" : "closed");
      });
    },
    sendText(text) {
      if (current === undefined) throw new Error("The caller has no data channel open.");
      current.send(text);
    },
  };
}
