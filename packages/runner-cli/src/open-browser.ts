import type { Logger } from "@pipecat-ts/runner-core";

/** A program that fails this long after its start, in ms, has opened the page: on some desktops, it is the browser itself. */
const openedMs = 10_000;

/** Opens a page in the desktop's browser. Never rejects: a failure is logged. */
export async function openBrowser(url: URL, logger: Logger): Promise<void> {
  const fail = (err: unknown) => logger.warn({ err }, `cannot open a browser; open ${url.href} yourself`);
  try {
    const { default: open } = await import("open");
    const browser = await open(url.href);
    const startedAtMs = performance.now();
    browser.once("error", fail).once("exit", (code) => {
      const isEarly = performance.now() - startedAtMs < openedMs;
      if (code && isEarly) fail(new Error(`The program that opens pages exited with ${code}.`));
    });
  } catch (error) {
    fail(error);
  }
}
