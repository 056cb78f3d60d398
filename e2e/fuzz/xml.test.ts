import { element, type XmlElement, xmlDocument } from "@pipecat-ts/runner-telephony";
import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { parseXml, type XmlTree } from "../../packages/runner-telephony-twilio/src/xml-tree.ts";
import { fuzz } from "./fuzz.ts";

const name = fc.stringMatching(/^[A-Z][a-z]{0,5}$/);
/** Texts with every character that XML escapes, and none that XML cannot contain. */
const text = fc.string({ unit: fc.constantFrom("&", "<", ">", '"', "'", "amp;", "&amp;", " ", "a", "ü", "]]>", "=") });
/** Elements up to this depth. */
function elements(depth: number): Arbitrary<XmlElement> {
  const children = depth === 0 ? fc.constant([]) : fc.array(elements(depth - 1), { maxLength: 3 });
  return fc
    .tuple(name, fc.dictionary(name, text, { maxKeys: 3 }), children)
    .map(([tag, attributes, inner]) => element(tag, attributes, ...inner));
}

test("documents with any attributes and texts are read back unchanged", async () => {
  const withText = fc
    .tuple(elements(3), text)
    .map(([child, content]) => element("Response", {}, child, element("A", {}, content)));
  await fuzz(withText, (root) => {
    expect(parseXml(xmlDocument(root).body)).toEqual(withoutBlanks(root));
  });
});

/** The parser leaves out blank texts. */
function withoutBlanks({ children, ...rest }: XmlElement): XmlTree {
  const kept = children.filter((child) => typeof child !== "string" || child.trim() !== "");
  const attributes = rest.attributes as XmlTree["attributes"];
  return {
    ...rest,
    attributes,
    children: kept.map((child) => (typeof child === "string" ? child : withoutBlanks(child))),
  };
}

test("texts that are not XML are rejected", async () => {
  const units = fc.constantFrom(
    "<a",
    "<a>",
    "</a>",
    ' b="',
    ' b="c"',
    "<a b=",
    "&amp;",
    "&",
    " ",
    "<?xml",
    "<a/>",
    '"',
  );
  const long = fc
    .tuple(units, units, fc.nat(30_000))
    .map(([first, unit, count]) => `${first}${unit.repeat(count / unit.length)}`);
  const junk = fc.oneof(
    { weight: 5, arbitrary: fc.array(units, { maxLength: 30 }).map((parts) => parts.join("")) },
    { weight: 2, arbitrary: fc.string() },
    { weight: 1, arbitrary: long },
  );
  let rejected = 0;
  await fuzz(junk, (each) => {
    try {
      parseXml(each);
    } catch (error) {
      expect(String(error)).toMatch(/not XML|no start tag/);
      rejected++;
    }
  });
  expect(rejected).toBeGreaterThan(500);
});
