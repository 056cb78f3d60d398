import type { OptionTable } from "@pipecat-ts/runner-core";
import { runnerFlags } from "@pipecat-ts/runner-host";
import * as Type from "typebox";
import { commandFlags } from "../flags.ts";
import { parseDuration } from "./duration.ts";
import { type Expectation, figureNames, parseExpectation } from "./expectations.ts";

/** Keys that the caller presses. */
export interface KeyPress {
  readonly keys: string;
  /** After the answer, in ms. */
  readonly atMs: number;
}

/** The settings of `pipecat-runner call`. Durations are in ms. */
export interface CallFlags {
  readonly url: string;
  readonly publicUrl: string | undefined;
  readonly apiKey: string | undefined;
  readonly body: unknown;
  readonly wav: string | undefined;
  readonly say: string | undefined;
  readonly mic: boolean;
  /** From 0 to 1. */
  readonly loss: number;
  readonly jitter: number;
  readonly record: string | undefined;
  readonly dtmf: readonly KeyPress[];
  readonly bargeIn: number | undefined;
  readonly hangUp: number | undefined;
  readonly calls: number;
  /** Calls per second. */
  readonly ramp: number;
  readonly expect: readonly Expectation[];
  readonly json: boolean;
  readonly project: string | undefined;
  readonly verbose: boolean;
  readonly help: boolean;
}

const longestMs = 3_600_000;

export const callFlags: OptionTable<CallFlags> = {
  url: {
    flag: "url",
    default: `http://localhost:${runnerFlags.port.default}`,
    description: "Address of the runner",
    schema: Type.Refine(Type.String({ description: "the URL of a runner, like http://localhost:7860" }), (text) =>
      /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
    ),
    placeholder: "url",
  },
  wav: {
    flag: "wav",
    description: "WAV file that the caller plays (default: generated syllables of 2 s)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "file",
  },
  say: {
    flag: "say",
    description: "Text that the caller says, spoken by espeak-ng",
    schema: Type.String({ minLength: 1 }),
    placeholder: "text",
  },
  mic: {
    flag: "mic",
    default: false,
    description: "Your microphone, recorded by sox or ffmpeg, until you hang up with Ctrl-C",
    schema: Type.Boolean(),
  },
  loss: {
    flag: "loss",
    default: 0,
    description: "Share of the caller's audio packets that are lost, for example 5%",
    schema: Type.Number({ minimum: 0, maximum: 1, description: "a share from 0% to 100%, like 5%" }),
    parse: (text) => Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1] ?? Number.NaN) / 100,
    placeholder: "share",
  },
  jitter: {
    flag: "jitter",
    default: 0,
    description: "The caller's audio packets arrive up to this much later, for example 40ms",
    schema: Type.Number({ minimum: 0, maximum: 1_000, description: "a duration up to 1 s, like 40ms" }),
    parse: parseDuration,
    placeholder: "duration",
  },
  bargeIn: {
    flag: "barge-in",
    description: "The caller interrupts the bot this long after it starts to speak, for example 2s",
    schema: durationSchema(),
    parse: parseDuration,
    placeholder: "duration",
  },
  dtmf: {
    flag: "dtmf",
    default: [],
    description: "Keys that the caller presses, and when after the answer: 1@3s",
    schema: Type.Array(Type.Unsafe<KeyPress>(Type.Object({ keys: Type.String(), atMs: Type.Number() })), {
      description: "keys and a time, like 1@3s or 42#@500ms",
    }),
    parse: (text) => text.split(",").map(parseKeyPress),
    placeholder: "keys@time",
  },
  hangUp: {
    flag: "hang-up",
    description:
      "The caller hangs up this long after the answer, for example 20s (default: after its speech and 2 s of silence, or after 60 s)",
    schema: durationSchema(),
    parse: parseDuration,
    placeholder: "duration",
  },
  record: {
    flag: "record",
    description: "Stereo WAV file to write: the caller left, the bot right",
    schema: Type.String({ minLength: 1 }),
    placeholder: "file",
  },
  calls: {
    flag: "calls",
    default: 1,
    description: "Number of calls",
    schema: Type.Integer({ minimum: 1, maximum: 10_000 }),
    placeholder: "count",
  },
  ramp: {
    flag: "ramp",
    default: 2,
    description: "Calls that begin per second",
    schema: Type.Number({ minimum: 0.01, maximum: 1_000, description: "a number of calls per second, like 2/s" }),
    parse: (text) => Number(text.trim().replace(/\/s$/, "")),
    placeholder: "rate",
  },
  expect: {
    flag: "expect",
    default: [],
    description: `Figures that every call must meet, else the exit code is 1: "first-audio<800ms". Figures: ${figureNames.join(", ")}`,
    schema: Type.Array(Type.Unsafe<Expectation>(Type.Object({ figure: Type.String() })), {
      description: `conditions like first-audio<800ms, gaps<=2 or level>-30dB: <, <=, > or >=, and one of the figures ${figureNames.join(", ")}`,
    }),
    parse: (text) => text.split(",").map(parseExpectation),
    placeholder: "condition",
  },
  body: {
    flag: "body",
    description: 'JSON that the bot gets as args.body: {"plan":"gold"}',
    schema: Type.Unsafe<unknown>(Type.Refine(Type.Unknown({ description: "JSON" }), (value) => value !== undefined)),
    parse: JSON.parse,
    placeholder: "json",
  },
  json: {
    flag: "json",
    default: false,
    description: "Print the figures as JSON on stdout",
    schema: Type.Boolean(),
  },
  apiKey: runnerFlags.apiKey,
  publicUrl: {
    ...runnerFlags.publicUrl,
    description: "The runner's --public-url, which phone carriers request and sign (default: --url)",
  },
  project: {
    flag: "project",
    description: "Folder whose package.json and .env are used (default: the current one)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "folder",
  },
  verbose: commandFlags.verbose,
  help: commandFlags.help,
};

function durationSchema() {
  return Type.Number({ minimum: 0, maximum: longestMs, description: "a duration up to 1 h, like 20s or 800ms" });
}

function parseKeyPress(text: string): KeyPress {
  const [, keys, time = ""] = text.trim().match(/^([0-9*#A-D]{1,32})@(.+)$/) ?? [];
  const atMs = parseDuration(time);
  if (keys === undefined || !(atMs <= longestMs)) throw new Error("not keys and a time");
  return { keys, atMs };
}
