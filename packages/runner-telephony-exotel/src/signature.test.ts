import { expect, test } from "vitest";
import { signatures } from "./signature.ts";

test("doctor cannot send the credentials to the public URL", () => {
  expect(signatures.sign).toBeUndefined();
});
