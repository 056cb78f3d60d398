import { describeInChromium } from "./test/browser-conformance.ts";

// A browser that has too little of the processor repeats audio.
await describeInChromium(["AUDIO"]);
