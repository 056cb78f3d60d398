import { describeInChromium } from "./test/browser-conformance.ts";

// What depends on the browser.
await describeInChromium(["MESSAGE", "END", "EVENT", "ISOLATION-1"]);
