import { describeInChromium } from "./test/browser-conformance.ts";

// A browser that has too little of the processor repeats audio, and plays it late.
await describeInChromium(["AUDIO", "INTERRUPT"]);
