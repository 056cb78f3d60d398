import type { Logger } from "@pipecat-ts/runner-core";

/** Opens a page in the desktop's browser. Never rejects: a failure is logged. */
export async function openBrowser(url: URL, logger: Logger): Promise<void> {
  const fail = (err: unknown) => logger.warn({ err }, `cannot open a browser; open ${url.href} yourself`);
  try {
    const { default: open } = await import("open");
    const browser = await open(url.href);
    browser.once("error", fail);
  } catch (error) {
    fail(error);
  }
}
