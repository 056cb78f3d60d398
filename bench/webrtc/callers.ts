/** The callers of a measurement, in a process of their own: each sends a packet of voice every 20 ms and counts what comes. */
import { answerParent } from "../children.ts";
import { type DialledCaller, dial } from "./caller.ts";
import { markedVoice, speakInTurn } from "./voice.ts";

const callers: DialledCaller[] = [];
const voice = await markedVoice();
let received = 0;
let stop: (() => void) | undefined;

async function connect(url: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const caller = await dial(url, () => {
      received += 1;
    });
    callers.push(caller);
  }
  stop = speakInTurn(
    () => count,
    (speaker, packet) => callers[speaker]?.peer.sendAudio(voice[packet % voice.length] ?? new Uint8Array()),
  );
}

answerParent(async ({ ask, url, count }) => {
  if (ask === "dial") {
    const caller = await dial(String(url));
    await caller.hangUp();
    return { answerMs: caller.answerMs, firstAudioMs: caller.firstAudioMs };
  }
  if (ask === "connect") await connect(String(url), Number(count));
  if (ask === "disconnect") {
    stop?.();
    await Promise.all(callers.splice(0).map((caller) => caller.hangUp()));
  }
  const answer = { received };
  received = 0;
  return answer;
});
