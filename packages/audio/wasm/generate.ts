/** `pnpm generate`: compiles filter.wat to src/generated/filter-module.ts. `--print` prints the file instead. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import createWabt from "wabt";

const wabt = await createWabt();
const wat = readFileSync(join(import.meta.dirname, "filter.wat"), "utf8");
const module = wabt.parseWat("filter.wat", wat, { simd: true });
module.validate();
const bytes = module.toBinary({}).buffer;
const source = `// @generated from wasm/filter.wat by \`pnpm generate\`.
/** The module's bytes. */
export const filterModule: readonly number[] = [
${[...bytes].join(", ").replaceAll(/(.{1,110}) /g, "  $1\n")},
];
`;
if (process.argv.includes("--print")) process.stdout.write(source);
else writeFileSync(join(import.meta.dirname, "..", "src", "generated", "filter-module.ts"), source);
