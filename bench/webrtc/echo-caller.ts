/** One caller who hears how long its own voice takes back, over a good network and a bad one, in a process of its own. */
import { answerParent } from "../children.ts";
import { type BadNetwork, spoilNetwork } from "./bad-network.ts";
import { type DialledCaller, dial } from "./caller.ts";
import { createMarkFinder, markEvery, markedVoice, speakInTurn } from "./voice.ts";

const voice = await markedVoice();
const isMark = await createMarkFinder();
let caller: DialledCaller | undefined;
let stop: (() => void) | undefined;
let network: BadNetwork | undefined;
let markedAt = Number.NaN;
let delaysMs: number[] = [];

async function connect(url: string): Promise<void> {
  caller = await dial(url, ({ payload }) => {
    if (isMark(payload)) delaysMs.push(performance.now() - markedAt);
  });
  const { peer } = caller;
  stop = speakInTurn(
    () => 1,
    (_, packet) => {
      if (packet % markEvery === 0) markedAt = performance.now();
      peer.sendAudio(voice[packet % voice.length] ?? new Uint8Array());
    },
  );
}

answerParent(async ({ ask, url, lossPercent, jitterMs }) => {
  if (ask === "connect") await connect(String(url));
  if (ask === "spoil" && caller !== undefined)
    network = spoilNetwork(caller.peer, { lossPercent: Number(lossPercent), jitterMs: Number(jitterMs) });
  if (ask === "disconnect") {
    stop?.();
    await caller?.hangUp();
  }
  const answer = { delaysMs, lostPercent: network?.lostPercent ?? 0 };
  delaysMs = [];
  return answer;
});
