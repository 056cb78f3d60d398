import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  // Relative URLs, so that the client works at any path.
  base: "./",
  plugins: [react()],
  resolve: {
    alias: {
      // The transports import daily-js for their default microphone handling, which loads code from another host.
      "@daily-co/daily-js": `${import.meta.dirname}/src/daily-stub.ts`,
    },
  },
  build: {
    target: "es2022",
    // Keep worklets as files. A content security policy would have to allow data: URLs.
    assetsInlineLimit: 0,
    license: { fileName: "third-party-licenses.md" },
    chunkSizeWarningLimit: 1500,
  },
  worker: { format: "es" },
});
