/** Callers who hear how long their own voices take back, over a good network or a bad one, in a process of their own. */
import { answerParent } from "../children.ts";
import { type BadNetwork, spoilNetwork } from "./bad-network.ts";
import { type DialledCaller, dial } from "./caller.ts";
import { createMarkFinder, markEvery, markedVoice, speakInTurn } from "./voice.ts";

const voice = await markedVoice();
const callers: DialledCaller[] = [];
const networks: BadNetwork[] = [];
const markedAt: number[] = [];
let delaysMs: number[] = [];
let stop: (() => void) | undefined;

async function connect(url: string, count: number): Promise<void> {
  for (let caller = 0; caller < count; caller++) {
    const isMark = await createMarkFinder();
    callers.push(
      await dial(url, ({ payload }) => {
        if (isMark(payload)) delaysMs.push(performance.now() - (markedAt[caller] ?? Number.NaN));
      }),
    );
  }
  stop = speakInTurn(
    () => count,
    (caller, packet) => {
      if (packet % markEvery === 0) markedAt[caller] = performance.now();
      callers[caller]?.peer.sendAudio(voice[packet % voice.length] ?? new Uint8Array());
    },
  );
}

answerParent(async ({ ask, url, count, lossPercent, jitterMs }) => {
  if (ask === "connect") await connect(String(url), Number(count));
  if (ask === "spoil")
    for (const { peer } of callers)
      networks.push(spoilNetwork(peer, { lossPercent: Number(lossPercent), jitterMs: Number(jitterMs) }));
  if (ask === "disconnect") {
    stop?.();
    await Promise.all(callers.map((caller) => caller.hangUp()));
  }
  const lostPercent = networks.reduce((sum, network) => sum + network.lostPercent, 0) / networks.length;
  const answer = { delaysMs, lostPercent };
  delaysMs = [];
  return answer;
});
