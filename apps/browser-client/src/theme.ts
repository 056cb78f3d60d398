import { load, store } from "./storage.ts";

/** `system` follows the browser's setting. */
export type Theme = "system" | "light" | "dark";

const themes: readonly Theme[] = ["system", "light", "dark"];
const storageKey = "pipecat-runner-theme";

/** The theme that the user has chosen before. */
export function storedTheme(): Theme {
  return themes.find((theme) => theme === load("localStorage", storageKey)) ?? "system";
}

export function nextTheme(theme: Theme): Theme {
  return themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system";
}

/** Shows the page in this theme, now and after a reload. */
export function applyTheme(theme: Theme): void {
  store("localStorage", storageKey, theme);
  showTheme(theme);
}

/** The style sheet has both themes, and chooses by `color-scheme`. */
export function showTheme(theme: Theme): void {
  document.documentElement.style.colorScheme = theme === "system" ? "" : theme;
}
