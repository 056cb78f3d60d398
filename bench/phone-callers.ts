/** Twilio callers, in a child process: each sends 20 ms of mu-law every 20 ms, returns marks, and counts the audio that returns. */
import { once } from "node:events";
import { encodeMulaw } from "@pipecat-ts/audio";
import { WebSocket } from "ws";
import { answerParent } from "./children.ts";

const frameMs = 20;
const tone = Int16Array.from({ length: 160 }, (_, n) => 3_000 * Math.sin((2 * Math.PI * 400 * n) / 8_000));
const payload = Buffer.from(encodeMulaw(tone)).toString("base64");
const payloadKey = '"payload":';
/** The duration of base64 text, at 8 bytes per ms. */
const payloadMs = (characters: number) => (characters * 3) / 4 / 8;
const sockets: { readonly socket: WebSocket; readonly streamSid: string; chunk: number }[] = [];
let receivedMs = 0;

async function connect(urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const socket = new WebSocket(url);
    const id = String(sockets.length).padStart(32, "0");
    const streamSid = `MZ${id}`;
    socket.on("message", (data: Buffer) => {
      const key = data.indexOf(payloadKey);
      if (key >= 0) {
        // Python writes a space before the value.
        const begin = data.indexOf('"', key + payloadKey.length) + 1;
        receivedMs += payloadMs(data.indexOf('"', begin) - begin);
      } else if (data.includes('"mark"')) socket.send(data);
    });
    await once(socket, "open");
    const start = {
      streamSid,
      callSid: `CA${id}`,
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000 },
    };
    socket.send(JSON.stringify({ event: "start", streamSid, start }));
    sockets.push({ socket, streamSid, chunk: 0 });
  }
  speak();
}

/** Spreads the callers over the 20 ms, like independent callers. */
function speak(): void {
  const start = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - start) / frameMs) * sockets.length);
    for (; sent < due; sent++) sendFrame(sent % sockets.length);
  }, 1);
}

function sendFrame(index: number): void {
  const caller = sockets[index];
  if (!caller) return;
  const { streamSid } = caller;
  const timestamp = String(frameMs * caller.chunk++);
  const media = `{"track":"inbound","chunk":"${caller.chunk}","timestamp":"${timestamp}","payload":"${payload}"}`;
  caller.socket.send(
    `{"event":"media","sequenceNumber":"${caller.chunk}","streamSid":"${streamSid}","media":${media}}`,
  );
}

answerParent(async ({ ask, urls }) => {
  if (ask === "connect") await connect(urls as string[]);
  const answer = { receivedMs };
  receivedMs = 0;
  return answer;
});
