import { expect, test } from "vitest";
import { isSupported, nodeVersions, readManifest } from "./manifest.ts";

test("only the Node versions in package.json are supported", () => {
  const { engines } = readManifest();
  const supported = (versions: readonly string[]) => versions.filter((version) => isSupported(version, engines.node));
  const good = ["22.18.0", "22.23.1", "24.11.0", "24.21.0", "26.0.0", "27.1.0"];
  expect(supported(good)).toEqual(good);
  expect(nodeVersions(engines.node)).toBe("22.18, 24.11 or 26 (or a newer release of these lines)");
  expect(supported(["18.20.0", "20.19.0", "22.17.9", "23.11.0", "24.10.0", "25.2.0", ""])).toEqual([]);
});
