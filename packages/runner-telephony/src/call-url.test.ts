import { expect, test } from "vitest";
import { bodyInQuery, numbersInQuery } from "./call-url.ts";

const body = { name: "Grüße ~~?>", list: [1, null] };
const json = Buffer.from(JSON.stringify(body));

test("a body in a URL is base64 or base64url of JSON, its plus escaped or not", () => {
  expect(bodyInQuery(json.toString("base64url"))).toEqual(body);
  const { searchParams } = new URL(`ws://bot.example/ws?body=${json.toString("base64")}`);
  expect(json.toString("base64")).toMatch(/[+/]/);
  expect(bodyInQuery(searchParams.get("body"))).toEqual(body);
});

test("anything else is no body", () => {
  for (const text of [undefined, null, "", "%%%", Buffer.from("no json").toString("base64"), "A".repeat(20_000)]) {
    expect(bodyInQuery(text)).toBe(undefined);
  }
});

test("numbers in a URL have their plus, escaped or not, and are left out where there are none", () => {
  const read = (query: string) => numbersInQuery(new URLSearchParams(query));
  expect(read("from_number=%2B15550100&to_number=+15550199")).toEqual({ from: "+15550100", to: "+15550199" });
  expect(read("from=15550100&body=e30")).toEqual({ from: "15550100" });
  expect(read("from=")).toEqual({});
});
