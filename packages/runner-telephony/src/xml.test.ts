import { expect, test } from "vitest";
import { element, xmlDocument } from "./xml.ts";

test("escapes texts and attributes, and leaves out undefined attributes", () => {
  const inner = element("Say", { to: `a"'<>&`, none: undefined }, `</Say><Dial>&"`);
  expect(xmlDocument(element("Response", {}, inner, element("Hangup")))).toEqual({
    type: "application/xml",
    body: `<?xml version="1.0" encoding="UTF-8"?><Response><Say to="a&quot;&apos;&lt;&gt;&amp;">&lt;/Say&gt;&lt;Dial&gt;&amp;&quot;</Say><Hangup/></Response>`,
  });
});
