import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { slugOf } from "./links.ts";

export const root: string = dirname(dirname(import.meta.dirname));

export function readText(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** A code block of a page. */
export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** The line of the page on which the code begins. */
  readonly line: number;
}

/** The code blocks of a Markdown text, without those in lists. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language = "", 2: code = "", index }) => ({
    language,
    code,
    line: markdown.slice(0, index).split("\n").length + 1,
  }));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutCode(markdown).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = slugOf(heading.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1"));
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The first sentence of a text, on one line and without links. */
export function firstSentence(markdown: string): string {
  const text = markdown
    .trim()
    .replace(/\s+/g, " ")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  return (text.match(/^.*?[.:](?= |$)/)?.[0] ?? text).replace(/:$/, ".");
}

export function withoutCode(markdown: string): string {
  return markdown.replace(/^ *```[\s\S]*?^ *```$/gm, "");
}

/** Whether a code block is an excerpt: its first line is a comment with the path of a file of the repository. */
export function isExcerpt(code: string): boolean {
  return sourceOf(code) !== undefined;
}

/** The file that a code block is an excerpt of. */
export function sourceOf(code: string): string | undefined {
  const [, path = ""] = code.match(/^\/\/ (\S+\/\S+)\n/) ?? [];
  return path !== "" && existsSync(join(root, path)) ? path : undefined;
}
