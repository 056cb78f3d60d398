import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apiModules } from "./api.ts";
import { replaceLinks, repository, resolveLink, siteLink, slugOf } from "./links.ts";
import { anchorsOf, readText, root } from "./markdown.ts";
import { pages } from "./pages.ts";
import { llmsText } from "./write-pages.ts";

/** All texts for people, also those that the site does not show. */
const files = globSync(["*.md", "{docs,bench,e2e,deploy}/**/*.md", "{apps,packages}/*/*.md"], {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|pages)$/.test(path),
}).sort();

function linksOf(file: string): readonly string[] {
  const links: string[] = [];
  replaceLinks(readText(file), (href) => {
    links.push(href);
    return href;
  });
  return links;
}

test("every link leads to a file of the repository, and every anchor to a heading", () => {
  expect(files).toContain("docs/troubleshooting.md");
  const broken: string[] = [];
  for (const file of files) {
    for (const href of linksOf(file)) {
      const { target, anchor } = resolveLink(file, href);
      if (target === undefined) continue;
      const text = [target, `${target}/README.md`].find((path) => path.endsWith(".md") && existsSync(join(root, path)));
      const isFound = existsSync(join(root, target));
      const leads = anchor === "" || (text !== undefined && anchorsOf(readText(text)).has(anchor.slice(1)));
      if (!isFound || !leads) broken.push(`${file}: ${href}`);
    }
  }
  expect(broken).toEqual([]);
});

test("the menu has every page of docs, each page once", () => {
  const shown = pages.map(({ file }) => file);
  expect(shown.filter((file) => file.startsWith("docs/")).sort()).toEqual(
    globSync("docs/{,bots/}*.md", { cwd: root }).sort(),
  );
  expect(new Set(shown).size).toBe(shown.length);
  expect(new Set(pages.map(({ path }) => path)).size).toBe(pages.length);
  for (const file of shown) expect(existsSync(join(root, file)), file).toBe(true);
});

test("links between pages stay on the site, others lead to GitHub", () => {
  expect(siteLink("docs/bots/basics.md", "../errors.md#internal")).toBe("/errors.md#internal");
  expect(siteLink("docs/errors.md", "../packages/rtvi")).toBe("/rtvi.md");
  expect(siteLink("packages/rtvi/README.md", `${repository}/blob/main/docs/production.md#limits`)).toBe(
    "/production.md#limits",
  );
  expect(siteLink("docs/errors.md", "../apps/echo-bot/bot.ts")).toBe(`${repository}/blob/main/apps/echo-bot/bot.ts`);
  expect(siteLink("docs/errors.md", "decisions/")).toBe(`${repository}/tree/main/docs/decisions`);
  expect(siteLink("docs/errors.md", "#internal")).toBe("#internal");
  expect(siteLink("docs/errors.md", "https://example.com/a.md")).toBe("https://example.com/a.md");
});

test("links in code stay as they are", () => {
  const text = "[`a`](x.md) and `[a](b.md)`\n\n```ts\n[c](d.md)\n```\n\n[e]: f.md\n";
  expect(replaceLinks(text, (href) => href.toUpperCase())).toBe(
    "[`a`](X.MD) and `[a](b.md)`\n\n```ts\n[c](d.md)\n```\n\n[e]: F.MD\n",
  );
});

test("anchors are those of GitHub", () => {
  expect(slugOf("Options: `createRTVI(transport, options)`")).toBe("options-creatertvitransport-options");
  expect(slugOf("429 and 503")).toBe("429-and-503");
});

test("llms.txt lists every page with its first sentence", () => {
  const lines = llmsText()
    .split("\n")
    .filter((line) => line.startsWith("- "));
  expect(lines).toHaveLength(pages.length + apiModules.length);
  for (const line of lines) expect(line).toMatch(/^- \[[^\]]+\]\(\/[\w/.-]+\.md\): \S.{10,}[.]$/);
});
