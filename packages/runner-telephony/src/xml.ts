/** An XML element, as carriers' documents have them. Names are trusted, texts and attributes are not. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly (XmlElement | string)[];
}

/** Makes an element. Attributes that are `undefined` are left out. */
export function element(
  name: string,
  attributes: XmlElement["attributes"] = {},
  ...children: XmlElement["children"]
): XmlElement {
  return { name, attributes, children };
}

/** The document of `root`, and the type it is answered with. */
export function xmlDocument(root: XmlElement): { readonly type: string; readonly body: string } {
  return { type: "application/xml", body: `<?xml version="1.0" encoding="UTF-8"?>${render(root)}` };
}

function render(node: XmlElement | string): string {
  if (typeof node === "string") return escaped(node);
  const attributes = Object.entries(node.attributes)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => ` ${name}="${escaped(value)}"`)
    .join("");
  if (node.children.length === 0) return `<${node.name}${attributes}/>`;
  return `<${node.name}${attributes}>${node.children.map(render).join("")}</${node.name}>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
