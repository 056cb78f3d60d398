import { beforeEach, expect, test, vi } from "vitest";
import { applyTheme, nextTheme, showTheme, storedTheme, type Theme } from "./theme.ts";

const stored = new Map<string, string>();
const style = { colorScheme: "" };

beforeEach(() => {
  stored.clear();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  vi.stubGlobal("document", { documentElement: { style } });
  return () => vi.unstubAllGlobals();
});

test("the page follows the browser's setting until the user chooses a theme, which is remembered", () => {
  expect(storedTheme()).toBe("system");
  const shown: string[] = [];
  let theme: Theme = storedTheme();
  for (let presses = 0; presses < 3; presses++) {
    theme = nextTheme(theme);
    applyTheme(theme);
    shown.push(style.colorScheme);
    expect(storedTheme(), "after a reload").toBe(theme);
  }
  expect(shown).toEqual(["light", "dark", ""]);
  stored.set([...stored.keys()][0] ?? "", "purple");
  showTheme(storedTheme());
  expect(style.colorScheme).toBe("");
});

test("in a browser that blocks storage, the theme lasts until the page is closed", () => {
  vi.stubGlobal("localStorage", undefined);
  expect(storedTheme()).toBe("system");
  applyTheme("dark");
  expect(storedTheme()).toBe("dark");
});
