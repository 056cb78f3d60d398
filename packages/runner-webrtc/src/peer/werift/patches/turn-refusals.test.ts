import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { classes, Message, parseMessage } from "werift";
import { chromium } from "../../test/offers.ts";
import { openPeer } from "../../test/peer-fixture.ts";

/** A TURN server that refuses every request with an unsigned 401, as RFC 8489 requires. Returns its port. */
async function startRefusingServer(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  await once(socket, "listening");
  socket.on("message", (data, from) => {
    const request = parseMessage(data);
    if (request === undefined) return;
    const response = new Message(request.messageMethod, classes.ERROR, request.transactionId)
      .setAttribute("ERROR-CODE", [401, "Unauthorized"])
      .setAttribute("REALM", "test")
      .setAttribute("NONCE", Buffer.from("nonce"));
    socket.send(response.bytes, from.port, from.address);
  });
  return socket.address().port;
}

test("wrong TURN credentials are reported at once", async () => {
  const urls = `turn:127.0.0.1:${await startRefusingServer()}`;
  const { peer } = openPeer({ iceServers: [{ urls, username: "caller", credential: "wrong" }], relayOnly: true });
  await openPeer().peer.answer(chromium); // loads werift
  const start = performance.now();
  await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "TURN_UNREACHABLE", status: 503 });
  expect(performance.now() - start).toBeLessThan(1_000);
});
