import multicastDns from "multicast-dns";
import { onTestFinished } from "vitest";
import type { MdnsNetwork } from "../mdns.ts";

/** Multicast on loopback, on a port for tests. */
export const loopback: MdnsNetwork = {
  interface: "127.0.0.1",
  bind: "0.0.0.0",
  port: 45_353,
  loopback: true,
  reuseAddr: true,
};

/** Responds for one name, as a responder does for its own. Returns a function that counts the received questions. */
export async function startMdnsResponder(name: string, address: string): Promise<() => number> {
  const responder = multicastDns({ ...loopback });
  onTestFinished(() => new Promise((resolve) => responder.destroy(resolve)));
  let questionCount = 0;
  responder.on("query", ({ questions = [] }) => {
    questionCount += questions.length;
    if (questions.some((question) => question.name === name))
      responder.respond([{ name, type: "A", ttl: 120, data: address }]);
  });
  await new Promise((resolve) => responder.once("ready", () => resolve(undefined)));
  return () => questionCount;
}
