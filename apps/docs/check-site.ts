/** Checks that every link within the built site leads to a page, and every anchor to a place on it. VitePress checks no anchors. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder: string = join(import.meta.dirname, "dist");
const base: string = process.env.DOCS_BASE ?? "/";
const files = globSync("**/*.html", { cwd: folder });
const texts = new Map(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
const ids = new Map([...texts].map(([file, text]) => [file, new Set(attributes(text, "id"))]));

function attributes(html: string, name: string): readonly string[] {
  return [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map(([, value = ""]) => value);
}

/** The file that the server sends for an address. */
function fileOf(path: string): string | undefined {
  const name = decodeURI(path).replace(/^\//, "");
  return [name, `${name}.html`, join(name, "index.html")].find((file) => texts.has(file));
}

const broken: string[] = [];
for (const [file, text] of texts) {
  const here = new URL(file, `http://site${base}`);
  for (const href of new Set(attributes(text, "href"))) {
    const url = new URL(href.replaceAll("&amp;", "&"), here);
    if (url.host !== here.host || (/\.(?!html)\w+$/.test(url.pathname) && !fileOf(url.pathname.slice(base.length))))
      continue;
    const target = fileOf(url.pathname.slice(base.length));
    const anchor = decodeURIComponent(url.hash.slice(1));
    if (target === undefined || (anchor !== "" && !ids.get(target)?.has(anchor))) broken.push(`${file}: ${href}`);
  }
}
if (broken.length > 0) {
  console.error(`Links of the site that lead nowhere:\n${broken.join("\n")}`);
  process.exitCode = 1;
} else console.log(`site: the links of ${files.length} pages lead to pages and places`);
