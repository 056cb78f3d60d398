/** An XML element as documents are compared: attributes without order, entities resolved. */
export interface XmlTree {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlTree | string)[];
}

/** Parses what carriers' documents are made of: elements, attributes, texts that are not blank. Throws on anything else. */
export function parseXml(text: string): XmlTree {
  const root: XmlTree & { children: (XmlTree | string)[] } = { name: "", attributes: {}, children: [] };
  const open = [root];
  const tokens = text
    .replace(/^<\?xml[^>]*\?>/, "")
    .matchAll(/<\/(\w+)>|<(\w+)((?:\s+\w+="[^"]*")*)\s*(\/?)>|([^<]+)/g);
  for (const [, closing, name, attributes = "", empty, words] of tokens) {
    const parent = open.at(-1) ?? root;
    if (words !== undefined) parent.children.push(...(words.trim() === "" ? [] : [resolve(words)]));
    else if (name !== undefined) {
      const pairs = [...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [
        key,
        resolve(value),
      ]);
      const child = { name, attributes: Object.fromEntries(pairs), children: [] };
      parent.children.push(child);
      if (empty !== "/") open.push(child);
    } else if (open.pop()?.name !== closing) throw new Error(`</${closing}> closes nothing`);
  }
  const [tree] = root.children;
  if (typeof tree !== "object" || root.children.length !== 1 || open.length !== 1) throw new Error(`No XML: ${text}`);
  return tree;
}

function resolve(text: string): string {
  const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(\w+);/g, (_, name: string) => entities[name] ?? `&${name};`);
}
