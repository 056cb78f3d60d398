import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { requireChromium } from "./chromium.ts";
import { openUdpProxy } from "./network-cut.ts";

test("without Chromium, the tests fail and say how to install it", () => {
  const missing = { PIPECAT_CHROMIUM: "/nowhere/chromium" };
  expect(() => requireChromium(missing)).toThrow(/"\/nowhere\/chromium" .*apt-get install chromium.*PIPECAT_CHROMIUM=/);
});

test("PIPECAT_CHROMIUM chooses the browser", () => {
  expect(requireChromium({ PIPECAT_CHROMIUM: process.execPath })).toBe(process.execPath);
});

async function bind(): Promise<Socket> {
  const socket = createSocket("udp4");
  onTestFinished(() => void socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

test("the UDP proxy relays both directions for each sender, drops everything while cut, and relays again afterwards", async () => {
  const target = await bind();
  target.on("message", (bytes, { address, port }) => target.send(`${bytes}!`, port, address));
  await using proxy = await openUdpProxy(target.address());
  const [one, two] = [await bind(), await bind()];
  const ask = async (socket: Socket, text: string) => {
    socket.send(text, proxy.address.port, proxy.address.address);
    const [answer] = await once(socket, "message");
    return String(answer);
  };
  expect(await Promise.all([ask(one, "one"), ask(two, "two")])).toEqual(["one!", "two!"]);
  proxy.cut(true);
  const lost = once(one, "message");
  one.send("lost", proxy.address.port, proxy.address.address);
  await expect.poll(proxy.dropped).toBe(1);
  proxy.cut(false);
  one.send("found", proxy.address.port, proxy.address.address);
  expect(String((await lost)[0])).toBe("found!");
});
