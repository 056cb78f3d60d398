import { startChild } from "../children.ts";
import { median } from "../figures.ts";

/** How long callers wait from their offer on, in ms: medians. */
export interface Answers {
  readonly coldMs: { readonly answer: number; readonly firstAudio: number };
  readonly warmMs: { readonly answer: number; readonly firstAudio: number };
}

interface Dialled {
  readonly answerMs: number;
  readonly firstAudioMs: number;
}

/** The first call of each of some fresh servers, and the calls after it. The callers' process is warm throughout. */
export async function measureAnswers(servers: number, callsEach: number): Promise<Answers> {
  const calling = await startChild("./webrtc/callers.ts", 1);
  const cold: Dialled[] = [];
  const warm: Dialled[] = [];
  try {
    // Of the first server, whose caller is cold too, nothing is counted.
    for (let server = 0; server <= servers; server++) {
      const serving = await startChild("./webrtc/runner-server.ts", 0);
      const { url } = await serving.ask<{ url: string }>({ ask: "url" });
      for (let call = 0; call <= callsEach; call++) {
        const dialled = await calling.ask<Dialled>({ ask: "dial", url });
        if (server > 0) (call === 0 ? cold : warm).push(dialled);
      }
      await serving.stop();
    }
  } finally {
    await calling.stop();
  }
  return { coldMs: medians(cold), warmMs: medians(warm) };
}

function medians(calls: readonly Dialled[]): Answers["coldMs"] {
  return {
    answer: median(calls.map(({ answerMs }) => answerMs)),
    firstAudio: median(calls.map(({ firstAudioMs }) => firstAudioMs)),
  };
}
