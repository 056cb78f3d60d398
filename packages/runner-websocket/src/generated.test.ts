import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const binaries = join(root, "node_modules", ".bin");

test("src/generated matches the output of `pnpm generate`", () => {
  const folder = mkdtempSync(join(tmpdir(), "frames-"));
  try {
    execFileSync(join(binaries, "buf"), ["generate", "--output", folder], {
      cwd: root,
      env: { ...process.env, PATH: [binaries, process.env.PATH].join(delimiter) },
    });
    const generated = (base: string) => readFileSync(join(base, "src", "generated", "frames_pb.ts"), "utf8");
    expect(generated(root)).toBe(generated(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
