import { expect, test } from "vitest";
import { isSupported } from "./node-version.ts";
import { readManifest } from "./version.ts";

test("the Node versions that package.json names are supported, and no others", () => {
  const { engines } = readManifest();
  const supported = (versions: readonly string[]) => versions.filter((version) => isSupported(version, engines.node));
  const good = ["22.18.0", "22.23.1", "24.11.0", "24.21.0", "26.0.0", "27.1.0"];
  expect(supported(good)).toEqual(good);
  expect(supported(["18.20.0", "20.19.0", "22.17.9", "23.11.0", "24.10.0", "25.2.0", ""])).toEqual([]);
});
