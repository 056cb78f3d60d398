import type { CarrierDocument } from "./carrier.ts";
import type { Whisper } from "./whisper.ts";

/** An XML element. Names are not escaped; texts and attribute values are. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly children: readonly (XmlElement | string)[];
}

/** Creates an element. Attributes that are `undefined` are left out. */
export function element(
  name: string,
  attributes: XmlElement["attributes"] = {},
  ...children: XmlElement["children"]
): XmlElement {
  return { name, attributes, children };
}

/** The XML document with the root element `root`. */
export function xmlDocument(root: XmlElement): CarrierDocument {
  return { type: "application/xml", body: `<?xml version="1.0" encoding="UTF-8"?>${render(root)}` };
}

function render(node: XmlElement | string): string {
  if (typeof node === "string") return escapeXml(node);
  const attributes = Object.entries(node.attributes)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
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

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** The document of a whisper, for carriers whose XML plays files with `Play`. `speech`: the name of its element that speaks a text. */
export function whisperXml(whisper: Whisper, speech: string): CarrierDocument {
  if ("play" in whisper) return xmlDocument(element("Response", {}, element("Play", {}, whisper.play)));
  const { say, language } = whisper;
  return xmlDocument(element("Response", {}, element(speech, language ? { language } : {}, say)));
}
