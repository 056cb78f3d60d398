/** The floor: a socket a caller, and of each packet what any echo has to do: open, decode, encode, seal, send. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";
import { answerParent } from "../children.ts";
import { usageSince } from "../servers/usage.ts";
import { open, seal } from "./floor-cipher.ts";

/** What the runner's echo hears and speaks at unless its bot asks for another rate. */
const sampleRate = 16_000;

async function openEcho(): Promise<number> {
  const opus = await loadOpus();
  const decoder = await opus.createDecoder({ sampleRate });
  const encoder = await opus.createEncoder({ sampleRate, fec: false });
  const socket = createSocket({ type: "udp4", lookup: (host, _options, found) => found(null, host, 4) });
  let sequenceNumber = 0;
  const listening = once(socket, "listening");
  socket.bind(0, "127.0.0.1");
  await listening;
  socket.on("message", (packet, { address, port }) => {
    const samples = decoder.decode(open(packet));
    sequenceNumber += 1;
    if (samples !== undefined) socket.send(seal(sequenceNumber, encoder.encode(samples)), port, address);
  });
  return socket.address().port;
}

answerParent(async ({ ask, count }) => {
  if (ask === "usage") return usageSince();
  return { ports: await Promise.all(Array.from({ length: Number(count) }, openEcho)) };
});
