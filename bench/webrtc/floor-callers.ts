/** The callers of the floor: as many packets, to as many sockets. */
import { createSocket } from "node:dgram";
import { answerParent } from "../children.ts";
import { seal } from "./floor-cipher.ts";
import { markedVoice, speakInTurn } from "./voice.ts";

const voice = (await markedVoice()).map((payload, index) => seal(index, payload));
let received = 0;

function speakTo(ports: readonly number[]): void {
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

answerParent(({ ask, ports }) => {
  if (ask === "connect") speakTo(ports as number[]);
  const answer = { received };
  received = 0;
  return answer;
});
