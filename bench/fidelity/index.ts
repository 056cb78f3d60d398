import { decodeMulaw, decodePcm16, encodeMulaw } from "@pipecat-ts/audio";
import { startChild } from "../children.ts";
import { type Figure, median } from "../figures.ts";
import type { FidelityCall, Heard } from "./callers.ts";
import { judge } from "./judge.ts";
import { loadPesq, type Pesq } from "./pesq.ts";
import { generateSpeech, resample } from "./speech.ts";

const serverCore = 0;
const callerCore = 1;
/** Callers of a row, at once. */
const callersEach = 3;

interface Row extends Omit<FidelityCall, "url"> {
  readonly title: string;
  readonly server: string;
  /** Fields of the question for the server's URL. */
  readonly question?: object;
  /** The rate at which the speech is judged, in Hz. */
  readonly judgedRate: 8_000 | 16_000;
  readonly pesqTarget: string;
  readonly snrTarget?: string;
}

const twilio = { wire: "twilio", server: "./servers/phone.ts", sampleRate: 8_000, judgedRate: 8_000 } as const;
const websocket = { wire: "websocket", server: "./servers/websocket.ts", judgedRate: 16_000 } as const;
const webrtc = { wire: "webrtc", server: "./webrtc/runner-server.ts", sampleRate: 48_000, judgedRate: 16_000 } as const;
const at16 = { question: { audioInSampleRate: 16_000 } };
const at8 = { question: { audioInSampleRate: 8_000 } };

const rows: readonly Row[] = [
  { ...twilio, ...at16, title: "Twilio, bot at 16,000 Hz", pesqTarget: "≥ 3.85", snrTarget: "≥ 35" },
  {
    ...twilio,
    ...at16,
    title: "Twilio, bot at 16,000 Hz, ±10 ms of jitter",
    jitterMs: 20,
    pesqTarget: "≥ 3.85",
    snrTarget: "≥ 35",
  },
  { ...twilio, ...at8, title: "Twilio, bot at 8,000 Hz, ±10 ms of jitter", jitterMs: 20, pesqTarget: "as G.711" },
  {
    ...websocket,
    title: "WebSocket, caller at 16,000 Hz",
    sampleRate: 16_000,
    pesqTarget: "≥ 4.63",
    snrTarget: "≥ 42",
  },
  {
    ...websocket,
    title: "WebSocket, caller at 24,000 Hz",
    sampleRate: 24_000,
    pesqTarget: "≥ 4.63",
    snrTarget: "≥ 42",
  },
  {
    ...websocket,
    title: "WebSocket, caller at 24,000 Hz, ±10 ms of jitter",
    sampleRate: 24_000,
    jitterMs: 20,
    pesqTarget: "≥ 4.63",
    snrTarget: "≥ 42",
  },
  { ...webrtc, title: "WebRTC", pesqTarget: "≥ 4.25" },
  { ...webrtc, title: "WebRTC, 40 ms of jitter", jitterMs: 40, pesqTarget: "≥ 4.2" },
  { ...webrtc, title: "WebRTC, 5 % of the caller's packets lost", lossPercent: 5, pesqTarget: "≥ 2.4" },
];

/**
 * How speech sounds that an echo bot returns: PESQ (where Python and pip exist), signal-to-noise ratio, and holes. Each figure is
 * the median of three callers, and the worst one. The calls run in real time, so measure on a quiet machine.
 */
export async function measureFidelity(): Promise<Figure[]> {
  const pesq = loadPesq();
  const said = generateSpeech(8_000);
  const g711 = [scoreOf(said, decodeMulaw(encodeMulaw(said)), 8_000, pesq)];
  const figures = figuresOf("G.711 alone", g711, {});
  for (const row of rows) figures.push(...figuresOf(row.title, await measureRow(row, pesq), row));
  return figures;
}

interface Score {
  readonly pesq: number | undefined;
  readonly snrDb: number;
  readonly holesMs: number;
}

async function measureRow(row: Row, pesq: Pesq | undefined): Promise<Score[]> {
  const { title, server: module, question, judgedRate, pesqTarget, snrTarget, ...call } = row;
  const server = await startChild(module, serverCore);
  const callers = await startChild("./fidelity/callers.ts", callerCore);
  try {
    const { url } = await server.ask<{ url: string }>({ ask: "url", ...question });
    const heard = await callers.ask<Heard[]>({ ask: "call", count: callersEach, url, ...call });
    const said = generateSpeech(judgedRate);
    return heard.map(({ audio, sampleRate }) => {
      const samples = decodePcm16(Buffer.from(audio, "base64"));
      return scoreOf(said, resample(samples, sampleRate, judgedRate), judgedRate, pesq);
    });
  } finally {
    await Promise.all([server.stop(), callers.stop()]);
  }
}

function scoreOf(said: Int16Array, heard: Int16Array, rate: 8_000 | 16_000, pesq: Pesq | undefined): Score {
  const { snrDb, holesMs, aligned } = judge(said, heard, rate);
  return { snrDb, holesMs, pesq: pesq?.(said, aligned, rate) };
}

function figuresOf(
  title: string,
  scores: readonly Score[],
  { pesqTarget = "", snrTarget = "" }: { readonly pesqTarget?: string; readonly snrTarget?: string },
): Figure[] {
  const pesqs = scores.flatMap(({ pesq }) => pesq ?? []);
  const ratios = scores.map(({ snrDb }) => snrDb);
  const holes = scores.map(({ holesMs }) => holesMs);
  const pesq = { unit: "of 4.6", target: pesqTarget, moreIsBetter: true };
  const snr = { unit: "dB", target: snrTarget, moreIsBetter: true };
  return [
    ...(pesqs.length === 0
      ? []
      : [
          { ...pesq, name: `${title}: PESQ, median`, value: median(pesqs) },
          { ...pesq, name: `${title}: PESQ, worst`, value: Math.min(...pesqs) },
        ]),
    { ...snr, name: `${title}: signal to noise, median`, value: median(ratios) },
    { ...snr, name: `${title}: signal to noise, worst`, value: Math.min(...ratios) },
    { name: `${title}: holes, worst`, value: Math.max(...holes), unit: "ms" },
  ];
}
