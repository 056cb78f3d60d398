/** A parsed XML element, with entities resolved. Comparing two ignores the order of attributes. */
export interface XmlTree {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlTree | string)[];
}

/** Parses elements, attributes, and texts that are not blank. Throws on any other XML. */
export function parseXml(text: string): XmlTree {
  const root: XmlTree & { children: (XmlTree | string)[] } = { name: "", attributes: {}, children: [] };
  const open = [root];
  const tokens = text
    .replace(/^<\?xml[^>]*\?>/, "")
    .matchAll(/<\/(\w+)>|<(\w+)((?:\s+\w+="[^"]*")*)\s*(\/?)>|([^<]+)/g);
  for (const [, closing, name, attributes = "", empty, content] of tokens) {
    const parent = open.at(-1) ?? root;
    if (content !== undefined) parent.children.push(...(content.trim() === "" ? [] : [resolve(content)]));
    else if (name !== undefined) {
      const pairs = [...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [
        key,
        resolve(value),
      ]);
      const child = { name, attributes: Object.fromEntries(pairs), children: [] };
      parent.children.push(child);
      if (empty !== "/") open.push(child);
    } else if (open.pop()?.name !== closing) throw new Error(`</${closing}> has no start tag`);
  }
  const [tree] = root.children;
  if (typeof tree !== "object" || root.children.length !== 1 || open.length !== 1) throw new Error(`not XML: ${text}`);
  return tree;
}

function resolve(text: string): string {
  const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(\w+);/g, (_, name: string) => entities[name] ?? `&${name};`);
}
