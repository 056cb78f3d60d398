import {
  Application,
  Converter,
  type DeclarationReflection,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  type SignatureReflection,
} from "typedoc";
import { MarkdownPageEvent, MarkdownTheme, type MarkdownThemeContext } from "typedoc-plugin-markdown";
import { type ApiModule, apiModules, apiSections } from "./api.ts";
import { firstSentence } from "./markdown.ts";

/** What a page lists at its top, in this order. */
const groups: readonly (readonly [title: string, kinds: ReflectionKind])[] = [
  ["Functions", ReflectionKind.Function],
  ["Values", ReflectionKind.Variable],
  ["Classes", ReflectionKind.Class],
  ["Types", ReflectionKind.Interface | ReflectionKind.TypeAlias],
];

/** A plugin of TypeDoc: one page for each module of `api.ts`, which begins with a list of what the module has. */
export function load(app: Application): void {
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue(
      "entryPoints",
      apiModules.map(({ file }) => `../../${file}`),
    );
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => nameModules(project));
  app.renderer.defineTheme("pages", PageTheme);
  app.renderer.on(MarkdownPageEvent.END as never, (page: MarkdownPageEvent<Reflection>) => {
    const { model } = page;
    if (model.isProject()) page.contents = indexPage();
    else page.contents = modulePage(page.contents, model as DeclarationReflection, app);
  });
}

/** TypeDoc names modules after their files below `packages`, and unnamed parameters `__namedParameters`. */
function nameModules(project: ProjectReflection): void {
  for (const module of project.children ?? []) module.name = moduleOf(module.name).path;
  for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter)) {
    if (parameter.name.startsWith("__namedParameters")) parameter.name = "options";
  }
}

function moduleOf(name: string): ApiModule {
  const found = apiModules.find(
    ({ path, file }) => path === name || [`packages/${name}.ts`, `packages/${name}/index.ts`].includes(file),
  );
  if (found === undefined) throw new Error(`api.ts has no module for ${name}.`);
  return found;
}

/** The signature has the types of parameters and results, so a section for each would repeat them. */
class PageTheme extends MarkdownTheme {
  override getRenderContext(page: MarkdownPageEvent<Reflection>): MarkdownThemeContext {
    const context = super.getRenderContext(page);
    const { signatureReturns } = context.partials;
    context.partials.signatureReturns = (model, options) => (hasMembers(model) ? signatureReturns(model, options) : "");
    return context;
  }
}

function hasMembers({ type }: SignatureReflection): boolean {
  return type?.type === "reflection" && type.declaration.children !== undefined;
}

/** The page of all modules. */
function indexPage(): string {
  const sections = apiSections.map(({ title, modules }) => {
    const rows = modules.map(({ path, name, description }) => `| [\`${name}\`](${path}.md) | ${description} |`);
    return `## ${title}\n\n| module | what it has |\n|---|---|\n${rows.join("\n")}\n`;
  });
  return `# API\n\n${sections.join("\n")}`;
}

/** The page of a module: its title, a list of what it has, and TypeDoc's text. */
function modulePage(contents: string, module: DeclarationReflection, { renderer, logger }: Application): string {
  const { name, description } = moduleOf(module.name);
  const anchorOf = (member: DeclarationReflection) => renderer.router?.getAnchor(member) ?? "";
  const members = (module.children ?? []).toSorted((one, other) => one.name.localeCompare(other.name));
  for (const member of members) {
    if (member.kind !== ReflectionKind.Reference && summaryOf(member) === "")
      logger.error(`${name} exports ${member.name} without a docstring.` as never);
  }
  const lists = groups.flatMap(([title, kinds]) => {
    const rows = members
      .filter(({ kind }) => (kind & kinds) !== 0)
      .map((member) => `| [\`${member.name}\`](#${anchorOf(member)}) | ${summaryOf(member)} |`);
    return rows.length === 0 ? [] : [`| ${title} | |\n|---|---|\n${rows.join("\n")}\n`];
  });
  let text = contents.replace(/^# .*\n/, () => `# ${name}\n\n${description}\n\n${lists.join("\n")}`);
  // TypeDoc numbers a name that a row of a table has too, such as `SpeechEnd` after `speechEnd`; VitePress counts headings only.
  for (const member of members) {
    const anchor = anchorOf(member);
    if (/-\d+$/.test(anchor)) text = text.replace(`\n### ${member.name}\n`, `\n### ${member.name} {#${anchor}}\n`);
  }
  return text;
}

function summaryOf({ comment, signatures }: DeclarationReflection): string {
  const parts = (comment ?? signatures?.[0]?.comment)?.summary ?? [];
  return firstSentence(parts.map(({ text }) => text).join("")).replaceAll("|", "\\|");
}
