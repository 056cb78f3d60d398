import { isRunnerError } from "@pipecat-ts/runner-core";
import { pageFolder } from "../../page-folder.ts";
import type { DailyEngine } from "../daily-call.ts";
import { createBrowserCall } from "./browser-call.ts";
import { findSdk } from "./daily-sdk.ts";
import { findChromium } from "./find-chromium.ts";

export interface BrowserEngineOptions {
  /** The browser; the first that is installed unless told. */
  readonly chromium?: string | undefined;
  /** Folders that browsers are looked for in, as in `PATH`, which is the default. */
  readonly path?: string;
  /** The folder that Daily's call machine is loaded from; Daily's own servers unless told. */
  readonly bundleUrl?: string | undefined;
}

/** Puts bots into rooms by daily-js in headless Chromium: a browser for each bot. */
export function createBrowserEngine(options: BrowserEngineOptions = {}): DailyEngine {
  const { chromium, path = process.env.PATH ?? "", bundleUrl } = options;
  const findProgram = () => findChromium(chromium, path);
  return {
    check() {
      try {
        findProgram();
        findSdk();
        return { state: "ready" };
      } catch (error) {
        if (!isRunnerError(error)) throw error;
        return { state: "limited", reason: error.message, fix: error.fix ?? "" };
      }
    },
    open: (listener) => createBrowserCall({ findProgram, pageFolder: pageFolder(), bundleUrl }, listener),
  };
}
