import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

export default defineConfig({
  // Relative URLs, so that the client works at any path.
  base: "./",
  plugins: [react(), fontLicense(), compressedFiles()],
  resolve: {
    alias: {
      // The transports import daily-js for their default microphone handling, which loads code from another host.
      "@daily-co/daily-js": `${import.meta.dirname}/src/daily-stub.ts`,
    },
  },
  build: {
    target: "es2022",
    // Browsers that choose a theme's colors by themselves: light-dark().
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // Keep worklets as files. A content security policy would have to allow data: URLs.
    assetsInlineLimit: 0,
    license: { fileName: "third-party-licenses.md" },
  },
  worker: { format: "es" },
});

/** The license of the font, which has to accompany it. */
function fontLicense(): Plugin {
  return {
    name: "font-license",
    apply: "build",
    generateBundle() {
      const font = dirname(createRequire(import.meta.url).resolve("@fontsource-variable/figtree/package.json"));
      const source = readFileSync(join(font, "LICENSE"));
      this.emitFile({ type: "asset", fileName: "figtree-license.txt", source });
    },
  };
}

/** Writes `x.br` and `x.gz` next to each text file `x`. The runner sends them to browsers that accept them. */
function compressedFiles(): Plugin {
  return {
    name: "compressed-files",
    apply: "build",
    writeBundle({ dir = "dist" }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(html|js|css|svg)$/.test(name)) continue;
        const file = join(dir, name);
        const content = readFileSync(file);
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}
