/** The callers of a measurement, in a process of their own: each sends 20 ms of voice every 20 ms and listens. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { callerFrame } from "./caller-frame.ts";
import { answerParent } from "./children.ts";

const frameMs = 20;
/** Of a returned message, in bytes: what is not audio. Small beside the 640 bytes and more of the audio. */
const envelopeBytes = 20;
const sockets: WebSocket[] = [];
let receivedMs = 0;
let timer: NodeJS.Timeout | undefined;

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

/** Spreads the callers over the 20 ms, as callers who dialled by themselves are. */
function speak(): void {
  const start = performance.now();
  const frame = callerFrame(frameMs);
  let sent = 0;
  timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / frameMs) * sockets.length);
    for (; sent < due; sent++) sockets[sent % sockets.length]?.send(frame);
  }, 1);
}

async function disconnect(): Promise<void> {
  clearInterval(timer);
  const closing = sockets.splice(0).map((socket) => {
    socket.close();
    return once(socket, "close");
  });
  await Promise.all(closing);
}

answerParent(async ({ ask, urls, bytesPerMs }) => {
  if (ask === "connect") await connect(urls as string[], bytesPerMs as number);
  if (ask === "disconnect") await disconnect();
  const answer = { receivedMs };
  receivedMs = 0;
  return answer;
});
