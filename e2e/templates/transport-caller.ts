import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { cut, decodePcm16, encodePcm16, measurePitch, syllables } from "../../packages/audio/src/index.ts";

const sampleRate = 16_000;

/** Calls the bot of the template `transport`, and resolves when the caller hears its own voice of pitch `hz`. */
export async function callOverTransport(origin: string, transport: string, hz: number): Promise<void> {
  const response = await fetch(`${origin}/start`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ transport }),
  });
  const reply = (await response.json()) as { readonly wsUrl?: string };
  if (reply.wsUrl === undefined) throw new Error(`POST /start: ${response.status} ${JSON.stringify(reply)}`);
  const socket = new WebSocket(reply.wsUrl);
  const heard: number[] = [];
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) heard.push(...decodePcm16(data));
  });
  await once(socket, "open");
  try {
    for (const frame of cut(syllables(hz, { durationMs: 5_000, sampleRate }), 20)) {
      socket.send(encodePcm16(frame.samples));
      await sleep(20);
      const last = { samples: Int16Array.from(heard.slice(-sampleRate / 5)), sampleRate, channels: 1 as const };
      if (last.samples.length === sampleRate / 5 && Math.abs((measurePitch(last) ?? 0) / hz - 1) < 0.01) return;
    }
  } finally {
    socket.close();
    await once(socket, "close");
  }
  throw new Error(`The caller does not hear its voice: ${heard.length} samples arrived.`);
}
