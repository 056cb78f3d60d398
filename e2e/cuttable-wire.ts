import type { Page } from "playwright-core";
import { openUdpProxy, type UdpProxy } from "./udp-proxy.ts";

/** The wire between a page's WebRTC and the runner. */
export interface CuttableWire extends AsyncDisposable {
  /** Drops everything both ways from now on, offers included, or lets it through again. */
  cut(isCut: boolean): void;
  /** How many datagrams were dropped. */
  readonly dropped: () => number;
  /** How many offers found no way. */
  readonly lostOffers: () => number;
}

/** A candidate's address and port: RFC 8839, section 5.1. */
const udpCandidate = /^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host/i;

/**
 * Puts a wire that can be cut between the page's next calls and the runner: the page is told the wire's address in place
 * of the runner's, and the runner none of the page's.
 */
export async function putOnWire(page: Page): Promise<CuttableWire> {
  const proxies = new Map<number, UdpProxy>();
  let isCut = false;
  let lostOffers = 0;

  /** The line of a candidate with a proxy's address in it. */
  const throughProxy = async (line: string): Promise<string> => {
    const [, address = "", port = ""] = udpCandidate.exec(line) ?? [];
    const proxy = proxies.get(Number(port)) ?? (await openUdpProxy({ address, port: Number(port) }));
    proxies.set(Number(port), proxy);
    proxy.cut(isCut);
    return line.replace(`${address} ${port}`, `${proxy.address.address} ${proxy.address.port}`);
  };

  await page.route("**/api/offer", async (route) => {
    if (route.request().method() === "PATCH") return route.fulfill({ json: { status: "success" } });
    if (isCut) {
      lostOffers++;
      return route.abort("internetdisconnected");
    }
    const offer = route.request().postDataJSON() as { sdp: string };
    const response = await route.fetch({ postData: { ...offer, sdp: withoutCandidates(offer.sdp) } });
    if (!response.ok()) return route.fulfill({ response });
    const answer = (await response.json()) as { sdp: string };
    const lines = answer.sdp.split("\r\n");
    const first = lines.find((line) => udpCandidate.test(line));
    if (first === undefined) throw new Error(`No IPv4 candidate in:\n${answer.sdp}`);
    const sdp = withoutCandidates(answer.sdp.replace(first, `${first}\r\nthe wire`));
    await route.fulfill({ response, json: { ...answer, sdp: sdp.replace("the wire", await throughProxy(first)) } });
  });

  return {
    cut(next) {
      isCut = next;
      for (const proxy of proxies.values()) proxy.cut(isCut);
    },
    dropped: () => [...proxies.values()].reduce((sum, proxy) => sum + proxy.dropped(), 0),
    lostOffers: () => lostOffers,
    async [Symbol.asyncDispose]() {
      await Promise.all([...proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
}

function withoutCandidates(sdp: string): string {
  return sdp.replaceAll(/^a=candidate:.*\r\n/gm, "");
}
