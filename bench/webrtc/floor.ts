/**
 * The floor of WebRTC sessions, in two child processes of this module. The server opens a socket for each caller and does the
 * minimum of any echo for each packet: decrypt, decode, encode, encrypt, send. The callers send it as many packets.
 */
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";
import { answerParent } from "../children.ts";
import { usageSince } from "../usage.ts";
import { markedVoice, speakInTurn } from "./voice.ts";

/** The runner's default audio rate. */
const sampleRate = 16_000;
/** SRTP (RFC 7714) adds an authenticated header of 12 bytes before the payload, and a tag of 16 bytes after it. */
const headerBytes = 12;
const tagBytes = 16;
const key = createSecretKey(Buffer.alloc(16, 7));
let received = 0;

function encrypt(sequenceNumber: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(sequenceNumber, 8);
  const cipher = createCipheriv("aes-128-gcm", key, header);
  cipher.setAAD(header);
  const encrypted = cipher.update(payload);
  cipher.final();
  return Buffer.concat([header, encrypted, cipher.getAuthTag()]);
}

function decrypt(packet: Buffer): Buffer {
  const header = packet.subarray(0, headerBytes);
  const decipher = createDecipheriv("aes-128-gcm", key, header);
  decipher.setAAD(header);
  decipher.setAuthTag(packet.subarray(-tagBytes));
  const payload = decipher.update(packet.subarray(headerBytes, -tagBytes));
  decipher.final();
  return payload;
}

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
    const samples = decoder.decode(decrypt(packet));
    sequenceNumber += 1;
    if (samples !== undefined) socket.send(encrypt(sequenceNumber, encoder.encode(samples)), port, address);
  });
  return socket.address().port;
}

async function speakTo(ports: readonly number[]): Promise<void> {
  const voice = (await markedVoice()).map((payload, index) => encrypt(index, payload));
  const sockets = ports.map(() =>
    createSocket({ type: "udp4", lookup: (host, _options, found) => found(null, host, 4) }).on("message", () => {
      received += 1;
    }),
  );
  speakInTurn(
    () => sockets.length,
    (speaker, packet) => sockets[speaker]?.send(voice[packet % voice.length] ?? "", ports[speaker], "127.0.0.1"),
  );
}

answerParent(async ({ ask, count, ports }) => {
  if (ask === "usage") return usageSince();
  if (ask === "open") return { ports: await Promise.all(Array.from({ length: Number(count) }, openEcho)) };
  if (ask === "connect") await speakTo(ports as number[]);
  const answer = { received };
  received = 0;
  return answer;
});
