import { networkInterfaces } from "node:os";
import { isLoopback } from "@pipecat-ts/runner-core";

/** More addresses, such as those of virtual networks, would hide the others. */
const maxAddresses = 4;

/**
 * The URLs of a server for other machines in its networks. `url` is its URL for this machine, and `host` the address that it
 * listens on. Empty when only this machine reaches it, and when `url` is for other machines too.
 */
export function networkUrls(
  host: string,
  url: URL,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): readonly URL[] {
  if (isLoopback(host) || !isLoopback(url.hostname)) return [];
  const addresses = Object.values(interfaces).flatMap((list = []) =>
    list.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address),
  );
  return addresses.slice(0, maxAddresses).map((address) => {
    const own = new URL(url);
    own.hostname = address;
    return own;
  });
}
