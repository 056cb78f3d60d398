import { expect, test } from "vitest";
import { createNode, createOwnerIds, ownerOf } from "./owner-id.ts";

test("ids are UUIDs of version 8, differ, and name their owner", () => {
  const owner = { node: createNode(), worker: 65_535 };
  const create = createOwnerIds(owner);
  const ids = Array.from({ length: 1_000 }, create);
  expect(new Set(ids).size).toBe(1_000);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-ffff-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ownerOf(id)).toEqual(owner);
    expect(ownerOf(`${id}.1790000000.signature`), "a token").toEqual(owner);
  }
});

test.each([
  "",
  "12345678-0001-4000-8000-000000000000", // a random UUID
  "12345678-0001-8000-8000-0000000000000",
  "12345678-0001-8000-8000-000000000000-",
  " 12345678-0001-8000-8000-000000000000",
  "12345678-0001-8000-0000-000000000000",
])("%j names no owner", (text) => {
  expect(ownerOf(text)).toBeUndefined();
});
