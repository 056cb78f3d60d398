import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseAst } from "vitest/node";

const root: string = dirname(import.meta.dirname);

/** A text that the command can print, as the source has it. `{name}` stands for a value. */
export interface MessageText {
  /** `error`: of a RunnerError. `log`: an event in the log. `status`: a line of the banner, of `doctor` or of `/status`. */
  readonly kind: "error" | "log" | "status";
  /** The path of the source file from the root of the repository. */
  readonly file: string;
  readonly line: number;
  /** The code of an error, the level of a log line. `undefined`: a value. */
  readonly label: string | undefined;
  /** One text for each branch of the expression. Empty when the text is a value that another place creates. */
  readonly texts: readonly string[];
  readonly fixes: readonly string[];
}

/** Packages whose code does not run in the command. */
const others = /^packages\/(?:runner-testing|create-pipecat-bot)\//;

/** Finds the texts of all errors, log lines and status lines in the source of the command and its transports. */
export function findMessageTexts(): readonly MessageText[] {
  const files = globSync("packages/*/src/**/*.ts", { cwd: root })
    .filter((file) => !/\.test\.ts$|\/test\/|\/generated\//.test(file) && !others.test(file))
    .sort();
  return files.flatMap((file) => scan(file, readFileSync(join(root, file), "utf8")));
}

/** A node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof Object(value).type === "string";
const childrenOf = (node: Node): readonly Node[] => Object.values(node).flat().filter(isNode);
const allIn = (node: Node): readonly Node[] => [node, ...childrenOf(node).flatMap(allIn)];
const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
/** The name of an identifier, or of the last part of `a.b`. */
const nameOf = (value: unknown): unknown => (isNode(value) ? (value.name ?? nameOf(value.property)) : undefined);
const isText = ({ type, value }: Node): boolean =>
  type === "TemplateLiteral" || (type === "Literal" && typeof value === "string");

/** Finds the texts in one source file. */
export function scan(file: string, source: string): readonly MessageText[] {
  const program = parseAst(source, { lang: "ts" }) as unknown as Node;
  const nodes = allIn(program);
  const parents = new Map(nodes.flatMap((node) => childrenOf(node).map((child) => [child, node] as const)));
  const placeOf = ({ start }: Node) => ({ file, line: source.slice(0, start).split("\n").length });
  const resolve = (node: Node | undefined) => (node === undefined ? [] : textsOf(node, 0));

  function textsOf(node: Node, depth: number): readonly string[] {
    const own = stringsOf(node);
    if (own.length > 0 || depth === 3) return own;
    if (node.type === "AwaitExpression") return textsOf(node.argument as Node, depth);
    if (node.type === "CallExpression") {
      const called = nodes.find(({ type, id }) => type === "FunctionDeclaration" && nameOf(id) === nameOf(node.callee));
      return called ? stringsOf(called.body as Node) : [];
    }
    const { name } = (node.type === "MemberExpression" ? node.object : node) as Node;
    return name === undefined ? [] : textsOfName(name, node, depth + 1);
  }

  /** The texts of a constant, or of the arguments of all calls of the function whose parameter it is. */
  function textsOfName(name: unknown, inside: Node, depth: number): readonly string[] {
    for (let scope = parents.get(inside); scope !== undefined; scope = parents.get(scope)) {
      const declarations = listOf(scope.body).flatMap((each) => listOf(Object(each.declaration ?? each).declarations));
      const declared = declarations.find(({ id }) => allIn(id as Node).some((each) => each.name === name));
      if (isNode(declared?.init)) return textsOf(declared.init, depth);
      const position = listOf(scope.params).findIndex((each) => nameOf(each.left ?? each) === name);
      if (position < 0) continue;
      const { id, parent = parents.get(scope) } = scope as { readonly id?: unknown; readonly parent?: Node };
      const own = nameOf(id ?? parent?.id);
      if (own === undefined) continue;
      const calls = nodes.filter((each) => each.type === "CallExpression" && Object(each.callee).name === own);
      return calls.flatMap((call) => resolveArgument(listOf(call.arguments)[position], depth));
    }
    return [];
  }

  const resolveArgument = (node: Node | undefined, depth: number) => (node === undefined ? [] : textsOf(node, depth));

  /** The strings of an expression that have several words, or the expression itself if it is a string. */
  function stringsOf(node: Node): readonly string[] {
    if (isText(node)) return [readable(node)];
    const strings = (each: Node): readonly string[] =>
      isText(each) ? [readable(each)] : childrenOf(each).flatMap(strings);
    return strings(node).filter((text) => /\S \S/.test(text));
  }

  /** `${shownPath(file)}` becomes `{file}`. */
  function readable({ value, quasis, expressions }: Node): string {
    if (typeof value === "string") return value.replaceAll("\u00a0", " ");
    const names = listOf(expressions).map(
      ({ start, end }) => /(\w+)\W*$/.exec(source.slice(start, end))?.[1] ?? "value",
    );
    const parts = listOf(quasis).map((each) => String(Object(each.value).cooked));
    return parts.map((part, index) => (index === 0 ? part : `{${names[index - 1]}}${part}`)).join("");
  }

  return nodes.flatMap((node): readonly MessageText[] => {
    const parts = listOf(node.arguments);
    const place = placeOf(node);
    if (node.type === "NewExpression" && /^(?:Runner|RTVI|Daily)Error$/.test(String(nameOf(node.callee)))) {
      const [code, message, options] = parts;
      const fix = options && propertyOf(options, "fix");
      const label = typeof code?.value === "string" ? code.value : undefined;
      return [{ kind: "error", ...place, label, texts: resolve(message), fixes: resolve(fix) }];
    }
    if (node.type === "CallExpression" && /^log(?:ger)?$/.test(String(nameOf(Object(node.callee).object)))) {
      const level = String(nameOf(node.callee));
      if (!/^(?:debug|info|warn|error)$/.test(level)) return [];
      return [{ kind: "log", ...place, label: level, texts: resolve(parts.at(-1)), fixes: [] }];
    }
    const reason = node.type === "ObjectExpression" ? propertyOf(node, "reason") : undefined;
    if (reason === undefined || !isText(reason)) return [];
    const texts = resolve(reason).filter((text) => text.includes(" "));
    return [{ kind: "status", ...place, label: undefined, texts, fixes: resolve(propertyOf(node, "fix")) }];
  });
}

function propertyOf(object: Node, name: string): Node | undefined {
  const property = listOf(object.properties).find(({ key }) => nameOf(key) === name);
  return isNode(property?.value) ? property.value : undefined;
}

/** The texts as Markdown: errors by code, then log lines, then status lines. */
export function messageTextsPage(all: readonly MessageText[]): string {
  const rows = (kind: MessageText["kind"], label: (each: MessageText) => string) => {
    const shown = all
      .filter((each) => each.kind === kind && each.texts.length > 0)
      .map((each) =>
        [label(each), [...new Set(each.texts)].join(" / "), each.fixes.join(" / ")].map((cell) =>
          cell.replaceAll("|", "\\|"),
        ),
      );
    return [...new Set(shown.map((cells) => `| ${cells.join(" | ")} |`))].sort().join("\n");
  };
  const packageOf = ({ file }: MessageText) => file.split("/")[1] ?? "";
  return `## All errors

${"`{name}`"} stands for a value; / separates alternatives.

| code | message | fix |
|---|---|---|
${rows("error", ({ label = "(that of the cause)" }) => label)}

## All log lines

| level | event | |
|---|---|---|
${rows("log", ({ label = "" }) => label)}

## All reasons why a transport or a check is not ready

| package | reason | fix |
|---|---|---|
${rows("status", packageOf)}
`;
}
