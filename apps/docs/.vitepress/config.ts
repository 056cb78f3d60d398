import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderMermaidSVG } from "beautiful-mermaid";
import { defineConfig, type MarkdownOptions } from "vitepress";
import { repository, slugOf } from "../links.ts";
import { pages, sections } from "../pages.ts";

const sources = new Map(pages.map(({ file, path }) => [`${path}.md`, file]));

const markdown: MarkdownOptions = {
  theme: { light: "github-light", dark: "github-dark" },
  anchor: { slugify: slugOf },
  config(md) {
    const fence = md.renderer.rules.fence;
    md.renderer.rules.fence = (tokens, index, ...rest) => {
      const { info = "", content = "" } = tokens[index] ?? {};
      if (info.trim() !== "mermaid") return fence?.(tokens, index, ...rest) ?? "";
      const colors = { bg: "var(--vp-c-bg)", fg: "var(--vp-c-text-1)", accent: "var(--vp-c-brand-1)" };
      return `<div class="diagram" v-pre>${renderMermaidSVG(content, { ...colors, transparent: true, font: "inherit" })}</div>`;
    };
  },
};

export default defineConfig({
  title: "pipecat-runner",
  description: "Run voice bots in TypeScript: one function, called by browsers, apps and phones.",
  lang: "en-US",
  // GitHub Pages serves a project below its name.
  base: process.env.DOCS_BASE ?? "/",
  srcDir: "pages",
  outDir: "dist",
  cacheDir: "node_modules/.cache",
  cleanUrls: true,
  ignoreDeadLinks: "localhostLinks",
  markdown,
  transformPageData(page) {
    const source = sources.get(page.relativePath);
    return source === undefined ? { frontmatter: { ...page.frontmatter, editLink: false } } : { filePath: source };
  },
  /** The texts for language models, beside the pages for people. */
  buildEnd({ srcDir, outDir }) {
    for (const file of ["llms.txt", ...sources.keys()]) {
      const target = join(outDir, file);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(srcDir, file), target);
    }
  },
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Quick start", link: "/quick-start" },
      { text: "Troubleshooting", link: "/troubleshooting" },
      { text: "Flags", link: "/options" },
      { text: "API", link: "/api/" },
    ],
    sidebar: [
      ...sections.map(({ title, pages: items }) => ({
        text: title,
        items: items.map((item) => ({ text: item.title, link: `/${item.path}` })),
      })),
      { text: "API", link: "/api/" },
    ],
    socialLinks: [{ icon: "github", link: repository }],
    outline: { level: [2, 3] },
    editLink: { pattern: `${repository}/edit/main/:path`, text: "Edit this page" },
  },
});
