import { readFileSync } from "node:fs";
import { errorStatus } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";

test("docs/errors.md explains exactly the codes there are, with their statuses", () => {
  const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const entries = [...text.matchAll(/^### ([A-Z_]+)\n\nStatus (\d+)\. .+\n\n_What to do:_ .+\n/gm)];
  expect(Object.fromEntries(entries.map(([, code, status]) => [code, Number(status)]))).toEqual(errorStatus);
  expect(text.match(/^###/gm)).toHaveLength(Object.keys(errorStatus).length);
});
