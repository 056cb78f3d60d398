import { EventEmitter } from "node:events";
import open from "open";
import { expect, test, vi } from "vitest";
import { openBrowser } from "./open-browser.ts";

vi.mock("open");

test("--open opens the page, or logs its address when it cannot", async () => {
  const logger = { warn: vi.fn() } as never as Parameters<typeof openBrowser>[1] & { warn: ReturnType<typeof vi.fn> };
  const browser = new EventEmitter();
  const url = new URL("http://localhost:7860/");
  vi.mocked(open).mockResolvedValueOnce(browser as never);
  await openBrowser(url, logger);
  expect(open).toHaveBeenCalledWith("http://localhost:7860/");
  expect(logger.warn).not.toHaveBeenCalled();

  browser.emit("error", new Error("ENOENT"));
  expect(logger.warn).toHaveBeenCalledWith({ err: new Error("ENOENT") }, expect.stringContaining(url.href));
  vi.mocked(open).mockRejectedValueOnce(new Error("no desktop"));
  await openBrowser(url, logger);
  expect(logger.warn).toHaveBeenCalledTimes(2);
});
