import type { Logger } from "@pipecat-ts/runner-core";

/** Opens a page in the desktop's browser. Never rejects: where there is none, that is logged. */
export async function openBrowser(url: URL, logger: Logger): Promise<void> {
  const fail = (err: unknown) => logger.warn({ err }, `no browser could be opened: open ${url.href} yourself`);
  try {
    const { default: open } = await import("open");
    const browser = await open(url.href);
    browser.once("error", fail);
  } catch (error) {
    fail(error);
  }
}
