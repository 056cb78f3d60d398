/** WebSocket callers, in a child process: each sends 20 ms of audio every 20 ms and counts the audio that returns. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { encodeAudio } from "../packages/runner-websocket/src/codec.ts";
import { answerParent } from "./children.ts";

const frameMs = 20;
/** The bytes of a returned message that are not audio: few beside the 640 and more of the audio. */
const envelopeBytes = 20;
const sampleRate = 16_000;
/** One message of a Pipecat WebSocket client: mono PCM16 at 16,000 Hz, a quiet 400 Hz tone. */
const frame = encodeAudio({
  samples: Int16Array.from(
    { length: (sampleRate * frameMs) / 1000 },
    (_, n) => 3_000 * Math.sin((2 * Math.PI * 400 * n) / sampleRate),
  ),
  sampleRate,
  channels: 1,
});
const sockets: WebSocket[] = [];
let receivedMs = 0;

async function connect(urls: readonly string[], bytesPerMs: number): Promise<void> {
  for (const url of urls) {
    const socket = new WebSocket(url);
    socket.on("message", (data: Buffer) => {
      receivedMs += (data.length - envelopeBytes) / bytesPerMs;
    });
    await once(socket, "open");
    sockets.push(socket);
  }
  speak();
}

/** Spreads the callers over the 20 ms, like independent callers. */
function speak(): void {
  const start = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - start) / frameMs) * sockets.length);
    for (; sent < due; sent++) sockets[sent % sockets.length]?.send(frame);
  }, 1);
}

answerParent(async ({ ask, urls, bytesPerMs }) => {
  if (ask === "connect") await connect(urls as string[], bytesPerMs as number);
  const answer = { receivedMs };
  receivedMs = 0;
  return answer;
});
