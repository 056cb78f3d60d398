import multicastDns from "multicast-dns";
import { onTestFinished } from "vitest";

/** Multicast among programs of this machine, on a port of the tests' own. */
export const loopback: multicastDns.Options = {
  interface: "127.0.0.1",
  bind: "0.0.0.0",
  port: 45_353,
  loopback: true,
  reuseAddr: true,
};

/** Answers for one name, as a browser does for its own; tells how often it was asked for any. */
export async function startBrowser(name: string, address: string): Promise<() => number> {
  const browser = multicastDns(loopback);
  onTestFinished(() => new Promise((resolve) => browser.destroy(resolve)));
  let asked = 0;
  browser.on("query", ({ questions = [] }) => {
    asked += questions.length;
    if (questions.some((question) => question.name === name))
      browser.respond([{ name, type: "A", ttl: 120, data: address }]);
  });
  await new Promise((resolve) => browser.once("ready", () => resolve(undefined)));
  return () => asked;
}
