import { expect, test } from "vitest";
import { requirements } from "../../requirements.ts";
import { callFaults } from "./call-faults.ts";
import { mediaFaults } from "./media-faults.ts";
import { setupFaults } from "./setup-faults.ts";

const faults = [...setupFaults, ...mediaFaults, ...callFaults];

test("every requirement is failed by a broken toy", () => {
  const broken = new Set(faults.flatMap(({ breaks }) => breaks));
  expect(requirements.map(({ id }) => id).filter((id) => !broken.has(id))).toEqual([]);
});

test("every requirement has an id, a title and a reason of its own", () => {
  expect(new Set(requirements.map(({ id }) => id)).size).toBe(requirements.length);
  for (const { id, title, reason } of requirements) {
    expect(id).toMatch(/^[A-Z]+(-[A-Z]+)*-[0-9]+$/);
    expect(title).toMatch(/\w{3}.*[^.]$/);
    expect(reason).toMatch(/\w{3}.*\.$/);
  }
});
