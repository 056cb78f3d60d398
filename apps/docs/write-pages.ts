/** Collects the pages of the site in `pages`, with links that work there, and `llms.txt`. Run by `pnpm run docs`. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { apiSections } from "./api.ts";
import { replaceLinks, siteLink } from "./links.ts";
import { firstSentence } from "./markdown.ts";
import { pages, sections } from "./pages.ts";

const root: string = dirname(dirname(import.meta.dirname));
const folder: string = join(import.meta.dirname, "pages");

/** Where the site is served; see `base` of VitePress. */
const base: string = process.env.DOCS_BASE ?? "/";

function readPage(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function write(path: string, text: string): void {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** A list of the pages for language models (https://llmstxt.org). */
export function llmsText(): string {
  const lists = sections.map(({ title, pages: items }) => {
    const lines = items.map(
      ({ path, file, title: name }) => `- [${name}](${base}${path}.md): ${summaryOf(readPage(file))}`,
    );
    return `## ${title}\n\n${lines.join("\n")}\n`;
  });
  const api = apiSections.flatMap(({ modules }) =>
    modules.map(({ path, name, description }) => `- [${name}](${base}api/${path}.md): ${description}`),
  );
  lists.push(`## API\n\n${api.join("\n")}\n`);
  return `# pipecat-runner\n\n> ${summaryOf(readPage("README.md"))}\n\n${lists.join("\n")}`;
}

/** The first sentence of a page, as plain text. */
function summaryOf(markdown: string): string {
  const paragraph = markdown.split(/\n{2,}/).find((block) => /^[\w[`*]/.test(block)) ?? "";
  return firstSentence(paragraph);
}

export function writePages(): void {
  rmSync(folder, { recursive: true, force: true });
  for (const { file, path } of pages) {
    write(
      `${path}.md`,
      replaceLinks(readPage(file), (href) => siteLink(file, href)),
    );
  }
  write("index.md", readPage("apps/docs/index.md"));
  for (const file of ["docs/client.png", "apps/browser-client/public/favicon.svg"]) {
    cpSync(join(root, file), join(folder, "public", basename(file)));
  }
  write("llms.txt", llmsText());
}

if (import.meta.main) writePages();
