import { readFileSync } from "node:fs";
import { defineConfig, type UserConfig } from "tsdown";

/**
 * Builds the package in the current folder: one file in `dist` for each source file that `exports` or `bin` names. Source
 * maps and declaration maps point to `src`, which is published too.
 */
const { exports = {}, bin = {} } = JSON.parse(readFileSync("package.json", "utf8")) as Record<
  string,
  Record<string, string>
>;

const config: UserConfig = defineConfig({
  cwd: process.cwd(),
  entry: [...Object.values(exports), ...Object.values(bin)],
  dts: { sourcemap: true },
  sourcemap: true,
  logLevel: "error",
  outExtensions: () => ({ js: ".js", dts: ".d.ts" }),
});
export default config;
