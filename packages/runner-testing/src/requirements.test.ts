import { expect, test } from "vitest";
import { requirements } from "./requirements.ts";

test("every requirement has an id of its own, a title and a reason", () => {
  expect(new Set(requirements.map(({ id }) => id)).size).toBe(requirements.length);
  for (const { id, title, reason } of requirements) {
    expect(id).toMatch(/^[A-Z]+(-[A-Z]+)*-[0-9]+$/);
    expect(title).toMatch(/\w{3}.*[^.]$/);
    expect(reason).toMatch(/\w{3}.*\.$/);
  }
});

// `vitest -u` writes it.
test("REQUIREMENTS.md lists them", async () => {
  const rows = requirements.map(({ id, title, reason }) => `| ${id} | ${title} | ${reason} |`);
  const page = `# What every transport must do

Made from \`src/requirements\`, where each of them says how it is checked.

| id | what must hold | why |
|---|---|---|
${rows.join("\n")}
`;
  await expect(page).toMatchFileSnapshot("../REQUIREMENTS.md");
});
