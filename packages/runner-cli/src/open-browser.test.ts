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

test("a program that finds no browser is logged, and a browser that is closed later is not", async () => {
  const logger = { warn: vi.fn() };
  const browser = new EventEmitter();
  vi.mocked(open).mockResolvedValue(browser as never);
  const url = new URL("http://localhost:7860/");
  await openBrowser(url, logger as never);
  browser.emit("exit", 3);
  expect(logger.warn).toHaveBeenCalledExactlyOnceWith(
    { err: new Error("The program that opens pages exited with 3.") },
    expect.stringContaining(url.href),
  );
  await openBrowser(url, logger as never);
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 10_001);
  browser.emit("exit", 1);
  await openBrowser(url, logger as never);
  browser.emit("exit", 0);
  vi.restoreAllMocks();
  expect(logger.warn).toHaveBeenCalledOnce();
});
