import type { AudioFrame } from "@pipecat-ts/audio";
import type { Call, MediaPort } from "@pipecat-ts/runner-core";
import { createPhoneAdapter } from "../phone/caller.ts";
import { acme } from "../phone/dialect.ts";
import { alter, type Fault } from "./fault.ts";

/** Faults in audio and messages. */
export const mediaFaults: readonly Fault[] = [
  {
    does: "makes the caller twice as loud",
    breaks: ["AUDIO-IN-1"],
    adapter: () => alter({ call: (call) => ({ audio: (frame) => call.audio(amplified(frame, 2)) }) }),
  },
  {
    does: "treats the caller's audio as 17,000 Hz",
    breaks: ["AUDIO-IN-1"],
    adapter: () => alter({ call: (call) => ({ audio: (frame) => call.audio({ ...frame, sampleRate: 17_000 }) }) }),
  },
  {
    does: "loses some of the caller's audio",
    breaks: ["AUDIO-IN-3"],
    adapter: () =>
      alter({
        call(call) {
          const lossy = silenceEveryFifteenth();
          return { audio: (frame) => call.audio(lossy(frame)) };
        },
      }),
  },
  {
    does: "repeats some of the caller's audio",
    breaks: ["AUDIO-IN-3"],
    adapter: () =>
      alter({
        call(call) {
          const repeats = repeatFifteenth();
          return { audio: (frame) => repeats(frame).map((each) => call.audio(each)) };
        },
      }),
  },
  {
    does: "loses every tenth frame of the caller's audio",
    breaks: ["AUDIO-IN-3"],
    adapter: () => alter({ call: (call) => ({ audio: everyTenth(0, call.audio) }) }),
  },
  {
    does: "delivers every tenth frame of the caller's audio twice",
    breaks: ["AUDIO-IN-3"],
    adapter: () => alter({ call: (call) => ({ audio: everyTenth(2, call.audio) }) }),
  },
  {
    does: "delivers no audio of the caller after 5 s of a call",
    breaks: ["AUDIO-BOTH-1"],
    adapter: () => alter({ call: (call) => ({ audio: untilFiveSeconds(call.audio) }) }),
  },
  {
    does: "drops audio and messages that arrive before the bot connects",
    breaks: ["AUDIO-IN-4", "MESSAGE-IN-1"],
    adapter() {
      const connected = new WeakSet<object>();
      return alter({
        port(_, call) {
          connected.add(call);
          return {};
        },
        call: (call) => ({
          audio: (frame) => connected.has(call) && call.audio(frame),
          message: (message) => connected.has(call) && call.message(message),
        }),
      });
    },
  },
  {
    does: "makes the bot half as loud",
    breaks: ["AUDIO-OUT-1"],
    adapter: () => alter({ port: (port) => ({ send: (frame) => port.send(amplified(frame, 0.5)) }) }),
  },
  {
    does: "loses some of the bot's audio",
    breaks: ["AUDIO-OUT-2"],
    adapter: () =>
      alter({
        port(port) {
          const lossy = silenceEveryFifteenth();
          return { send: (frame) => port.send(lossy(frame)) };
        },
      }),
  },
  {
    does: "repeats some of the bot's audio",
    breaks: ["AUDIO-OUT-2"],
    adapter: () =>
      alter({
        port(port) {
          const repeats = repeatFifteenth();
          return { send: (frame) => repeats(frame).map((each) => port.send(each)) };
        },
      }),
  },
  {
    does: "drops every tenth frame of the bot's audio",
    breaks: ["AUDIO-OUT-2"],
    adapter: () => alter({ port: (port) => ({ send: everyTenth(0, port.send) }) }),
  },
  {
    does: "sends every tenth frame of the bot's audio twice",
    breaks: ["AUDIO-OUT-2"],
    adapter: () => alter({ port: (port) => ({ send: everyTenth(2, port.send) }) }),
  },
  {
    does: "sends no audio after 5 s of a call",
    breaks: ["AUDIO-BOTH-1"],
    adapter: () => alter({ port: (port) => ({ send: untilFiveSeconds(port.send) }) }),
  },
  {
    does: "sends as fast as the bot writes",
    breaks: ["AUDIO-OUT-3"],
    adapter: () => alter({ port: () => ({ sendAheadMs: 60_000 }) }),
  },
  {
    does: "repeats audio after an interruption",
    breaks: ["INTERRUPT-1"],
    adapter: () =>
      alter({
        port(port) {
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
        },
      }),
  },
  {
    does: "sends no audio after an interruption",
    breaks: ["INTERRUPT-2"],
    adapter: () =>
      alter({
        port(port) {
          let silent = false;
          return {
            clear() {
              silent = true;
              port.clear?.();
            },
            send: (frame) => port.send(silent ? amplified(frame, 0) : frame),
          };
        },
      }),
  },
  {
    does: "acknowledges audio when it is sent instead of when it is played",
    breaks: ["INTERRUPT-3"],
    adapter: () =>
      alter(
        { port: (_, call) => ({ sendAheadMs: 2_000, mark: (mark) => call.played(mark) }) },
        createPhoneAdapter(acme),
      ),
  },
  {
    does: "does not clear the far end's buffer",
    breaks: ["INTERRUPT-4"],
    adapter: () => alter({ port: () => ({ sendAheadMs: 20, clear: () => undefined }) }),
  },
  {
    does: "clears the far end's buffer when the bot connects, but not at an interruption",
    breaks: ["INTERRUPT-4"],
    adapter: () =>
      alter({
        port(port) {
          port.clear?.();
          return { sendAheadMs: 20, clear: () => undefined };
        },
      }),
  },
  {
    does: "delivers the caller's messages a second time",
    breaks: ["MESSAGE-IN-1"],
    adapter: () => alter({ call: (call) => ({ message: twice(call.message) }) }),
  },
  {
    does: "sends the bot's messages a second time",
    breaks: ["MESSAGE-OUT-1"],
    adapter: () =>
      alter({
        port({ sendMessage = async () => undefined }) {
          const send = twice(sendMessage);
          return { sendMessage: async (message) => send(message) };
        },
      }),
  },
  {
    does: "does not deliver the caller's messages",
    breaks: ["MESSAGE-IN-1"],
    adapter: () => alter({ call: () => ({ message: () => undefined }) }),
  },
  {
    does: "does not send the bot's messages",
    breaks: ["MESSAGE-OUT-1"],
    adapter: () => alter({ port: () => ({ sendMessage: async () => undefined }) }),
  },
  {
    does: "accepts messages that it cannot send",
    breaks: ["MESSAGE-NONE-1"],
    adapter: () => alter({ port: () => ({ sendMessage: async () => undefined }) }, createPhoneAdapter(acme)),
  },
  {
    does: "sends every bot's messages to every caller",
    breaks: ["ISOLATION-1"],
    adapter() {
      const ports = new Set<MediaPort>();
      return alter({
        port(port) {
          ports.add(port);
          return { sendMessage: async (message) => void [...ports].map((each) => each.sendMessage?.(message)) };
        },
      });
    },
  },
  {
    does: "delivers every caller's messages to every bot",
    breaks: ["ISOLATION-1"],
    adapter() {
      const calls = new Set<Call>();
      return alter({
        call(call) {
          calls.add(call);
          return { message: (message) => void [...calls].map((each) => each.message(message)) };
        },
      });
    },
  },
  {
    does: "sends every bot's audio to every caller",
    breaks: ["ISOLATION-1"],
    adapter() {
      const ports = new Set<MediaPort>();
      return alter({
        port(port) {
          ports.add(port);
          return {
            send(frame) {
              for (const each of ports) each.send(frame);
            },
          };
        },
      });
    },
  },
];

/** Passes the last of two messages again, when both have arrived. */
function twice(pass: (message: unknown) => unknown): (message: unknown) => void {
  let count = 0;
  return (message) => {
    pass(message);
    if (++count === 2) setTimeout(() => pass(message), 20);
  };
}

function amplified(frame: AudioFrame, factor: number): AudioFrame {
  return { ...frame, samples: frame.samples.map((sample) => sample * factor) };
}

function silenceEveryFifteenth(): (frame: AudioFrame) => AudioFrame {
  let count = 0;
  return (frame) => (++count % 15 === 0 ? amplified(frame, 0) : frame);
}

/** Repeats every fifteenth frame for 160 ms. */
function repeatFifteenth(): (frame: AudioFrame) => AudioFrame[] {
  let count = 0;
  return (frame) => (++count % 15 === 0 ? Array.from({ length: 9 }, () => frame) : [frame]);
}

/** Passes every tenth frame `times` times, and the others once. */
function everyTenth(times: number, pass: (frame: AudioFrame) => unknown): (frame: AudioFrame) => void {
  let count = 0;
  return (frame) => {
    const last = ++count % 10 === 0 ? times : 1;
    for (let time = 0; time < last; time++) pass(frame);
  };
}

/** Passes no frame more than 5 s from now. */
function untilFiveSeconds(pass: (frame: AudioFrame) => unknown): (frame: AudioFrame) => void {
  const endMs = performance.now() + 5_000;
  return (frame) => void (performance.now() < endMs && pass(frame));
}
