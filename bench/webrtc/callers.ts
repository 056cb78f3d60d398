/** WebRTC callers, in a child process: each sends a packet of voice every 20 ms, and counts or times the packets that return. */
import "./eager-handshake.ts";
import type { UdpTransport } from "../../packages/runner-webrtc/src/peer/udp-transport.ts";
import { createPeerCaller, type PeerCaller } from "../../packages/runner-webrtc/src/peer/werift/test/peer-caller.ts";
import { answerParent } from "../children.ts";
import { createMarkFinder, markEvery, markedVoice, speakInTurn } from "./voice.ts";

type Packet = PeerCaller["packets"][number];

/** A connected caller, with the times from its offer, in ms. */
interface Caller {
  readonly peer: PeerCaller;
  readonly answerMs: number;
  readonly firstAudioMs: number;
  hangUp(): Promise<void>;
}

/** Sends an offer to `url`, and resolves with the first packet of the bot's audio. */
async function dial(url: string, onPacket: (packet: Packet) => void = () => undefined): Promise<Caller> {
  const peer = createPeerCaller();
  peer.onPacket(onPacket);
  const firstAudio = new Promise<number>((resolve) => peer.onPacket(() => resolve(performance.now())));
  const body = JSON.stringify({ sdp: await peer.offer(), type: "offer", pc_id: null });
  const offeredAt = performance.now();
  const reply = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
  const { sdp } = (await reply.json()) as { sdp: string };
  const answerMs = performance.now() - offeredAt;
  if (!reply.ok) throw new Error(`The offer was answered with ${reply.status}.`);
  await peer.accept(sdp);
  const firstAudioMs = (await firstAudio) - offeredAt;
  return {
    peer,
    answerMs,
    firstAudioMs,
    async hangUp() {
      peer.channel?.close();
      await peer.close();
    },
  };
}

/** What a bad network has done so far. */
interface BadNetwork {
  readonly lostPercent: number;
}

/** Loses some of a caller's media packets, and delays the others by up to `jitterMs`. Handshakes, checks and data are unchanged. */
function degradeNetwork(
  peer: PeerCaller,
  { lossPercent, jitterMs }: { readonly lossPercent: number; readonly jitterMs: number },
): BadNetwork {
  let sent = 0;
  let lost = 0;
  for (const { iceTransport } of peer.connection.dtlsTransports) {
    const { protocols } = iceTransport.connection as unknown as { protocols: { transport: UdpTransport }[] };
    for (const { transport } of protocols) {
      const send = transport.send.bind(transport);
      transport.send = async (data, to) => {
        if (!isVoice(data)) return await send(data, to);
        sent += 1;
        if (Math.random() * 100 < lossPercent) lost += 1;
        else setTimeout(() => transport.closed || void send(data, to), Math.random() * jitterMs);
      };
    }
  }
  return {
    get lostPercent() {
      return (100 * lost) / sent;
    },
  };
}

/** RFC 7983 and RFC 5761: the first byte distinguishes media, the second RTP and RTCP. */
function isVoice(data: Buffer): boolean {
  const [first = 0, second = 0] = data;
  return first >= 128 && first < 192 && (second < 192 || second > 223);
}

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
