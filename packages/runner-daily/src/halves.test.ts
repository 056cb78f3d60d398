import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** The modules that the files of a folder import, each as it is written. */
function importsOf(folder: string): string[] {
  return globSync(`${import.meta.dirname}/${folder}/**/*.ts`).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/^(?:import|export) .*?from "(.+)";$/gms)].map(([, module]) =>
      String(module),
    ),
  );
}

test("rooms and call do not know of each other, and rooms need nothing but the network", () => {
  expect(
    importsOf("rooms").filter((module) => /\/call\/|^ws$|daily-js|runner-media|child_process/.test(module)),
  ).toEqual([]);
  expect(importsOf("call").filter((module) => module.includes("/rooms/"))).toEqual([]);
});
