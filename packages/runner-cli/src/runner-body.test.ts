import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRunnerBody } from "./runner-body.ts";
import { createProject } from "./test/temporary-project.ts";

function read(content: string): unknown {
  return readRunnerBody(join(createProject({ "body.yaml": content }), "body.yaml"));
}

test.each<[string, unknown]>([
  ['{"user": "anna", "n": [1, 2.5, null, true]}', { user: "anna", n: [1, 2.5, null, true] }],
  ['{\n\t"a": {\n\t\t"b": "\\u00e9"\n\t}\n}', { a: { b: "é" } }],
  ["user: anna\nlist:\n  - 1\n  - two # comment\n", { user: "anna", list: [1, "two"] }],
  ["base: &base {a: 1}\nmore:\n  <<: *base\n  b: 2", { base: { a: 1 }, more: { a: 1, b: 2 } }],
  ["on: yes\ndate: 2026-01-01", { on: "yes", date: "2026-01-01" }],
  ["\uFEFF[]", []],
  ["", undefined],
  ["# nothing", undefined],
])("reads YAML and JSON: %j", (content, body) => {
  expect(read(content)).toEqual(body);
});

test("a field __proto__ does not change the prototype of the body", () => {
  expect(Object.getPrototypeOf(read("__proto__: {a: 1}"))).toBe(Object.prototype);
});

test.each([
  ["{", 1, 2],
  ["a: 1\nb: [1, 2", 2, 9],
  ["a: 1\na: 2", 2, 1],
  ["a:\n\tb: 1", 2, 1],
  ["a: 1\nb: *nobody", 2, 4],
  ["a: 1\nb: &b [*b]", 2, 8],
  ["a: 1\nb: !!js/function 1", 2, 4],
  ["a: 1\n---\nb: 2", 2, 1],
])("a malformed file is rejected with its line and column: %j", (content, line, column) => {
  expect(() => read(content)).toThrow(
    expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringMatching(
        new RegExp(`^--runner-body: .*body\\.yaml:${line}:${column} cannot be read: .+\\.$`),
      ),
    }),
  );
});

test("aliases that stand for a billion values are rejected", () => {
  const letters = ["b", "c", "d", "e", "f", "g", "h", "i"];
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  letters.forEach((letter, index) => {
    const before = String.fromCharCode(96 + index + 1);
    bomb.push(`${letter}: &${letter} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`);
  });
  const fromMs = performance.now();
  expect(() => read(bomb.join("\n"))).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(performance.now() - fromMs).toBeLessThan(1_000);
});

test("a file that is not UTF-8 is rejected", () => {
  const file = join(createProject({}), "body.yaml");
  for (const encoding of ["utf16le", "latin1"] as const) {
    writeFileSync(file, Buffer.from('\uFEFF{"name": "J\u00f6rg"}', encoding));
    expect(() => readRunnerBody(file)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", fix: "Save it as UTF-8." }),
    );
  }
});

test("a file that is missing, or nested too deeply, is rejected", () => {
  expect(() => readRunnerBody("/nowhere/body.yaml")).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining("/nowhere/body.yaml") }),
  );
  expect(() => read("[".repeat(100_000))).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});
