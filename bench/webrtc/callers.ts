/** WebRTC callers, in a child process: each sends a packet of voice every 20 ms, and counts or times the packets that return. */
import { answerParent } from "../children.ts";
import { type BadNetwork, type Caller, degradeNetwork, dial } from "./dial.ts";
import { createMarkFinder, markEvery, markedVoice, speakInTurn } from "./voice.ts";

const voice = await markedVoice();
const callers: Caller[] = [];
const networks: BadNetwork[] = [];
let received = 0;
let delaysMs: number[] = [];
let stop: (() => void) | undefined;

async function connect(url: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const caller = await dial(url, () => {
      received += 1;
    });
    callers.push(caller);
  }
  speak(count);
}

/** Also measures how long the marks of the voice take to return. */
async function connectAndTime(url: string, count: number): Promise<void> {
  const markedAt: number[] = [];
  for (let caller = 0; caller < count; caller++) {
    const isMark = await createMarkFinder();
    callers.push(
      await dial(url, ({ payload }) => {
        if (isMark(payload)) delaysMs.push(performance.now() - (markedAt[caller] ?? Number.NaN));
      }),
    );
  }
  speak(count, (caller, packet) => {
    if (packet % markEvery === 0) markedAt[caller] = performance.now();
  });
}

function speak(count: number, onPacket: (caller: number, packet: number) => void = () => undefined): void {
  stop = speakInTurn(
    () => count,
    (caller, packet) => {
      onPacket(caller, packet);
      callers[caller]?.peer.sendAudio(voice[packet % voice.length] ?? new Uint8Array());
    },
  );
}

answerParent(async ({ ask, url, count, lossPercent, jitterMs }) => {
  if (ask === "dial") {
    const caller = await dial(String(url));
    await caller.hangUp();
    return { answerMs: caller.answerMs, firstAudioMs: caller.firstAudioMs };
  }
  if (ask === "connect") await connect(String(url), Number(count));
  if (ask === "connect and time") await connectAndTime(String(url), Number(count));
  if (ask === "degrade")
    for (const { peer } of callers)
      networks.push(degradeNetwork(peer, { lossPercent: Number(lossPercent), jitterMs: Number(jitterMs) }));
  if (ask === "disconnect") {
    stop?.();
    await Promise.all(callers.splice(0).map((caller) => caller.hangUp()));
  }
  const lostPercent = networks.reduce((sum, network) => sum + network.lostPercent, 0) / networks.length;
  const answer = { received, delaysMs, lostPercent };
  received = 0;
  delaysMs = [];
  return answer;
});
