import { readFileSync } from "node:fs";
import { errorStatus } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";

test("docs/errors.md explains exactly the codes there are, with their statuses", () => {
  const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (.+) \| (.+) \|$/gm)];
  const documented = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]));
  expect(documented).toEqual(errorStatus);
  expect(rows).toHaveLength(Object.keys(errorStatus).length);
});
