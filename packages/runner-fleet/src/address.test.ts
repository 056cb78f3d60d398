import { expect, test } from "vitest";
import { addressText, parseAddress } from "./address.ts";

test.each([
  ["10.0.0.5:7000", "10.0.0.5:7000"],
  ["node-1.internal", "node-1.internal:7861"],
  ["[fd00::5]:7000", "[fd00::5]:7000"],
  // As Kubernetes fills in `[$(POD_IP)]:7861`.
  ["[10.0.0.5]:7861", "10.0.0.5:7861"],
])("reads the address %s", (text, address) => {
  expect(addressText(parseAddress(text, "--fleet-listen"))).toBe(address);
});

test.each(["", "fd00::5:7000", "10.0.0.5:70000", "host:port", "http://10.0.0.5"])("rejects the address %j", (text) => {
  expect(() => parseAddress(text, "--fleet-listen")).toThrow(/^--fleet-listen: ".*" is not an address/);
});
