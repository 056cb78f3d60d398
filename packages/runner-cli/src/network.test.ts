import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { networkUrls } from "./network.ts";

const address = (text: string, more: Partial<NetworkInterfaceInfo> = {}) =>
  ({ address: text, family: "IPv4", internal: false, ...more }) as NetworkInterfaceInfo;
const interfaces = {
  lo: [address("127.0.0.1", { internal: true })],
  eth0: [address("192.0.2.7"), address("fe80::1", { family: "IPv6" } as Partial<NetworkInterfaceInfo>)],
  wlan0: [address("198.51.100.4")],
};
const local = new URL("http://localhost:7860");

test.each<[string, URL, readonly string[]]>([
  ["0.0.0.0", local, ["http://192.0.2.7:7860/", "http://198.51.100.4:7860/"]],
  ["::", local, ["http://192.0.2.7:7860/", "http://198.51.100.4:7860/"]],
  ["localhost", local, []],
  ["127.0.0.1", new URL("http://127.0.0.1:7860"), []],
  // Its URL is for other machines already.
  ["192.0.2.7", new URL("http://192.0.2.7:7860"), []],
])("the URLs for other machines of a server that listens on %s", (host, url, expected) => {
  expect(networkUrls(host, url, interfaces).map(({ href }) => href)).toEqual(expected);
});
