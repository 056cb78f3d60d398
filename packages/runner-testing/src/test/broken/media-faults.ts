import type { AudioFrame } from "@pipecat-ts/audio";
import type { Caller, MediaPort } from "@pipecat-ts/runner-media";
import { createPhoneAdapter } from "../phone/adapter.ts";
import { acme } from "../phone/dialect.ts";
import { createTcpAdapter } from "../tcp/adapter.ts";
import { alter, overlay } from "./alter.ts";
import type { Fault } from "./fault.ts";

/** In what is heard and said. */
export const mediaFaults: readonly Fault[] = [
  {
    does: "makes the caller twice as loud",
    breaks: ["AUDIO-IN-1"],
    adapter: () => withCaller((caller) => ({ audio: (frame) => caller.audio(amplified(frame, 2)) })),
  },
  {
    does: "takes the caller's audio for 17,000 Hz",
    breaks: ["AUDIO-IN-1", "FAIL-1", "FAIL-2", "FAIL-3", "FAIL-4", "ISOLATION-1", "ISOLATION-2"],
    adapter: () => withCaller((caller) => ({ audio: (frame) => caller.audio({ ...frame, sampleRate: 17_000 }) })),
  },
  {
    does: "gives the bot 16,000 Hz whatever it asks for",
    breaks: ["AUDIO-IN-2"],
    adapter: () =>
      alter({
        session: (session) => ({
          run: (own, connect) => session.run(own, ({ audioInSampleRate: _, ...params }) => connect(params)),
        }),
      }),
  },
  {
    does: "loses some of what the caller says",
    breaks: ["AUDIO-IN-3"],
    adapter: () =>
      withCaller((caller) => {
        const spoil = everyFifteenth();
        return { audio: (frame) => caller.audio(spoil(frame)) };
      }),
  },
  {
    does: "makes the bot half as loud",
    breaks: ["AUDIO-OUT-1"],
    adapter: () => withPort((port) => ({ send: (frame) => port.send(amplified(frame, 0.5)) })),
  },
  {
    does: "loses some of what the bot says",
    breaks: ["AUDIO-OUT-2"],
    adapter: () =>
      withPort((port) => {
        const spoil = everyFifteenth();
        return { send: (frame) => port.send(spoil(frame)) };
      }),
  },
  {
    does: "sends as fast as the bot writes",
    breaks: ["AUDIO-OUT-3"],
    adapter: () => withPort(() => ({ sendAheadMs: 60_000 })),
  },
  {
    does: "says again after an interruption what it said before",
    breaks: ["INTERRUPT-1"],
    adapter: () =>
      withPort((port) => {
        let last: AudioFrame | undefined;
        return {
          send(frame) {
            last = frame;
            port.send(frame);
          },
          clear() {
            port.clear?.();
            for (let again = 0; last && again < 40; again++) port.send(last);
          },
        };
      }),
  },
  {
    does: "does not have the far end clear its buffer",
    breaks: ["INTERRUPT-4"],
    adapter: () => withPort(() => ({ sendAheadMs: 20, clear: () => undefined })),
  },
  {
    does: "falls silent once it was interrupted",
    breaks: ["INTERRUPT-2"],
    adapter: () =>
      withPort((port) => {
        let silent = false;
        return {
          clear() {
            silent = true;
            port.clear?.();
          },
          send: (frame) => port.send(silent ? amplified(frame, 0) : frame),
        };
      }),
  },
  {
    does: "cannot tell how much was heard",
    breaks: ["INTERRUPT-3"],
    adapter: () =>
      alter({
        transport: (transport) => ({
          interrupt() {
            transport.interrupt();
            return { playedMs: 0, droppedMs: 0 };
          },
        }),
      }),
  },
  {
    does: "does not pass on the caller's messages",
    breaks: ["MESSAGE-IN-1"],
    adapter: () => withCaller(() => ({ message: () => undefined })),
  },
  {
    does: "does not send the bot's messages",
    breaks: ["MESSAGE-OUT-1"],
    adapter: () => withPort(() => ({ sendMessage: async () => undefined })),
  },
  {
    does: "pretends to send messages",
    breaks: ["MESSAGE-NONE-1"],
    adapter: () => alter({ transport: () => ({ sendMessage: async () => undefined }) }, createPhoneAdapter(acme)),
  },
  {
    does: "has everybody hear every bot",
    breaks: ["ISOLATION-1", "ISOLATION-2"],
    adapter() {
      const ports = new Set<MediaPort>();
      return withPort((port) => {
        ports.add(port);
        return {
          send(frame) {
            for (const other of ports) other.send(frame);
          },
        };
      });
    },
  },
];

function withCaller(change: (caller: Caller) => Partial<Caller>) {
  return createTcpAdapter({ caller: (caller) => overlay(caller, change(caller)) });
}

function withPort(change: (port: MediaPort) => Partial<MediaPort>) {
  return createTcpAdapter({ port: (port) => overlay(port, change(port)) });
}

function amplified(frame: AudioFrame, factor: number): AudioFrame {
  return { ...frame, samples: frame.samples.map((sample) => sample * factor) };
}

function everyFifteenth(): (frame: AudioFrame) => AudioFrame {
  let count = 0;
  return (frame) => (++count % 15 === 0 ? amplified(frame, 0) : frame);
}
