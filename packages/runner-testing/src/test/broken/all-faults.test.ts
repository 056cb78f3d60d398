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
