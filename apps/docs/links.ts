import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { pages } from "./pages.ts";

const root: string = dirname(dirname(import.meta.dirname));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly repository: { readonly url: string };
};
const paths = new Map(pages.map(({ file, path }) => [file, path]));

/** The address of the repository on GitHub. */
export const repository: string = manifest.repository.url.replace(/^git\+|\.git$/g, "");

/** What a link in a Markdown file names. */
export interface Link {
  /** A file or folder of the repository; `undefined` for addresses elsewhere. */
  readonly target: string | undefined;
  /** With `#`, or empty. */
  readonly anchor: string;
}

/** Resolves a link in `file`. Absolute links into the repository, which READMEs for npm need, name its files too. */
export function resolveLink(file: string, href: string): Link {
  const [, address = "", anchor = ""] = href.match(/^([^#]*)(#.*)?$/) ?? [];
  if (address === "") return { target: file, anchor };
  const absolute = `${repository}/`;
  const [, inside] = address.startsWith(absolute)
    ? (address.slice(absolute.length).match(/^(?:blob|tree)\/main\/(.+)$/) ?? [])
    : [];
  if (inside === undefined && /^\w+:/.test(address)) return { target: undefined, anchor };
  const path = inside ?? posix.join(posix.dirname(file), address);
  return { target: posix.normalize(path).replace(/\/$/, ""), anchor };
}

/** The same link on the site: to the page that shows the file, else to the file on GitHub. */
export function siteLink(file: string, href: string): string {
  const { target, anchor } = resolveLink(file, href);
  if (target === undefined || href.startsWith("#")) return href;
  const path = paths.get(target) ?? paths.get(`${target}/README.md`);
  if (path !== undefined) return `/${path}.md${anchor}`;
  const isFolder = existsSync(join(root, target)) && statSync(join(root, target)).isDirectory();
  return `${repository}/${isFolder ? "tree" : "blob"}/main/${target}${anchor}`;
}

/** Replaces the links of a Markdown text, but not in code. */
export function replaceLinks(markdown: string, replace: (href: string) => string): string {
  const pattern = /^```[\s\S]*?^```$|`[^`\n]+`|(?<=\]\()[^)\s]+(?=\))|(?<=^\[[^\]]+\]: )\S+/gm;
  return markdown.replace(pattern, (found) => (found.startsWith("`") ? found : replace(found)));
}

/** The anchor of a heading, as GitHub makes it, so that a link works there and on the site. */
export function slugOf(heading: string): string {
  const kept = heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "");
  return kept.replaceAll(" ", "-");
}
