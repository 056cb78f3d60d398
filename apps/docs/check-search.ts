/**
 * Checks that the search of the built site finds what a reader looks for. It searches the site's own index, as its search box does.
 */
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { searchOptions } from "./search.ts";

/** What a reader types, and the page that has to be among the first results. */
const searches: readonly (readonly [query: string, page: string])[] = [
  ["no sound", "/troubleshooting"],
  ["no UDP", "/troubleshooting"],
  ["403 webhook", "/troubleshooting"],
  ["webhook", "/transports/telephony"],
  ["--api-key", "/options"],
  ["--port", "/options"],
  ["api key", "/options"],
  ["PIPECAT_RUNNER_API_KEY", "/options"],
  ["function calls", "/bots/functions"],
  ["interruption", "/bots/interruption"],
  ["recorder", "/bots/recording"],
  ["kubernetes", "/deployment-files"],
  ["createTransport", "/api/pipecat-runner"],
  ["twilo", "/transports/twilio"], // a typing error
];
const firstResults = 10;

/** What this check uses of MiniSearch. VitePress has it as a dependency of its own. */
interface MiniSearch {
  loadJSON(json: string, options: object): { search(query: string): readonly { readonly id: string }[] };
}

const requireAsVitePress = createRequire(createRequire(import.meta.url).resolve("vitepress/package.json"));
const miniSearch = requireAsVitePress("minisearch") as MiniSearch;

const folder: string = join(import.meta.dirname, "dist/assets/chunks");
const [file] = globSync("@localSearchIndex*.js", { cwd: folder });
if (file === undefined) throw new Error("The site has no search index. Build it first: pnpm run docs");
const { default: json } = (await import(join(folder, file))) as { readonly default: string };
const index = miniSearch.loadJSON(json, {
  fields: ["title", "titles", "text"],
  storeFields: ["title", "titles"],
  searchOptions,
});

const missing = searches.flatMap(([query, page]) => {
  const found = index.search(query).slice(0, firstResults);
  const pages = found.map(({ id }) => id.replace(/(\.html)?(#.*)?$/, ""));
  return pages.some((path) => path.endsWith(page)) ? [] : [`"${query}" does not find ${page}, but ${pages.join(", ")}`];
});
if (missing.length > 0) {
  console.error(`The site's search does not find:\n${missing.join("\n")}`);
  process.exitCode = 1;
} else console.log(`site: the search finds the pages of ${searches.length} queries`);
