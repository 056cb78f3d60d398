import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderMermaidSVG } from "beautiful-mermaid";
import { defineConfig, type MarkdownOptions } from "vitepress";
import { apiModules, apiSections } from "../api.ts";
import { repository, slugOf } from "../links.ts";
import { pages, sections } from "../pages.ts";
import { searchOptions } from "../search.ts";

/** GitHub Pages serves a project below its name. */
const base: string = process.env.DOCS_BASE ?? "/";
const sources = new Map(pages.map(({ file, path }) => [`${path}.md`, file]));

const wide = new Set(["architecture.md", "options.md", "parity.md", "clients.md", "reliability.md", "runtimes.md"]);

const markdown: MarkdownOptions = {
  theme: { light: "github-light", dark: "github-dark" },
  anchor: { slugify: slugOf },
  config(md) {
    const fence = md.renderer.rules.fence;
    md.renderer.rules.fence = (tokens, index, ...rest) => {
      const { info = "", content = "" } = tokens[index] ?? {};
      if (info.trim() !== "mermaid") return fence?.(tokens, index, ...rest) ?? "";
      const colors = { bg: "var(--vp-c-bg)", fg: "var(--vp-c-text-1)", accent: "var(--vp-c-brand-1)" };
      const svg = renderMermaidSVG(content, { ...colors, transparent: true, padding: 8, layerSpacing: 32 });
      return `<div class="diagram" v-pre>${svg.replace(/<style>[\s\S]*?<\/style>/, "")}</div>`;
    };
  },
};

export default defineConfig({
  title: "pipecat-runner",
  description: "Run voice bots in TypeScript: one function, called by browsers, apps and phones.",
  lang: "en-US",
  base,
  head: [["link", { rel: "icon", href: `${base}favicon.svg` }]],
  srcDir: "pages",
  outDir: "dist",
  cacheDir: "node_modules/.cache",
  cleanUrls: true,
  ignoreDeadLinks: "localhostLinks",
  markdown,
  transformPageData(page) {
    const source = sources.get(page.relativePath);
    if (source === undefined) return { frontmatter: { ...page.frontmatter, editLink: false } };
    // Wide tables need the room of the outline.
    return { filePath: source, ...(wide.has(page.relativePath) && { frontmatter: { aside: false } }) };
  },
  /** The texts for language models, beside the pages for people. */
  buildEnd({ srcDir, outDir }) {
    for (const file of ["llms.txt", ...sources.keys(), ...apiModules.map(({ path }) => `api/${path}.md`)]) {
      const target = join(outDir, file);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(srcDir, file), target);
    }
  },
  themeConfig: {
    search: { provider: "local", options: { miniSearch: { searchOptions } } },
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
      {
        text: "API",
        link: "/api/",
        items: apiSections.map(({ title, modules }) => ({
          text: title,
          collapsed: true,
          items: modules.map(({ path, name }) => ({ text: name.replace("@pipecat-ts/", ""), link: `/api/${path}` })),
        })),
      },
    ],
    socialLinks: [{ icon: "github", link: repository }],
    outline: { level: [2, 3] },
    editLink: { pattern: `${repository}/edit/main/:path`, text: "Edit this page" },
  },
});
