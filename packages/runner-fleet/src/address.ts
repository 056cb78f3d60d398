import { networkInterfaces } from "node:os";
import { RunnerError } from "@pipecat-ts/runner-core";

/** The default port of the other nodes. */
const defaultPort = 7861;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[::1]:port`, `[10.0.0.5]:port` or `host`. Throws OPTION_INVALID, which names `label`. */
export function parseAddress(text: string, label: string): Address {
  const [, six, four, port = String(defaultPort)] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = six ?? four;
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new RunnerError("OPTION_INVALID", `${label}: "${text}" is not an address.`, {
    fix: "Use host:port, such as 10.0.0.5:7861.",
  });
}

export function addressText({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The first private address of this machine (RFC 1918, and RFC 6598 for clusters). Throws OPTION_INVALID. */
export function privateAddress(): Address {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = addresses.find(({ family, address }) => family === "IPv4" && isPrivate(address));
  if (found) return { host: found.address, port: defaultPort };
  throw new RunnerError("OPTION_INVALID", "This machine has no private address for the other nodes.", {
    fix: "Name the address to listen on with --fleet-listen host:port.",
  });
}

function isPrivate(address: string): boolean {
  const [first = 0, second = 0] = address.split(".").map(Number);
  return (
    first === 10 ||
    (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168) ||
    (first === 100 && second >= 64 && second < 128)
  );
}
