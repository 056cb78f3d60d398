import { describeInChromium } from "./test/browser-conformance.ts";

// What depends on the browser.
await describeInChromium(["INTERRUPT", "MESSAGE", "END", "EVENT", "ISOLATION-1"]);
