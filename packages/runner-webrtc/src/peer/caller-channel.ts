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

/** As many channels as a caller may open in a call, whether or not it closes them: each one leaves something with the engine. */
const channelLimit = 16;

/** `overrun` is told when the caller has opened more channels than anyone needs. */
export function createCallerChannel(
  listener: Pick<PeerListener, "channel" | "text">,
  overrun: () => void,
): CallerChannel {
  let current: RTCDataChannel | undefined;
  let taken = 0;
  return {
    get bufferedBytes() {
      return current?.bufferedAmount ?? 0;
    },
    take(channel) {
      taken += 1;
      if (taken > channelLimit) return overrun();
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
