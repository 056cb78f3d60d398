import module from "node:module";
import { expect, test } from "vitest";
import { reloadModules } from "./reload-modules.ts";

test("a runtime without registerHooks gets an error that says what to do", () => {
  const { registerHooks } = module;
  Object.assign(module, { registerHooks: undefined });
  try {
    expect(() => reloadModules(import.meta.dirname)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", fix: "Omit --watch, or use Node or Deno." }),
    );
  } finally {
    Object.assign(module, { registerHooks });
  }
});
