import { expect, test } from "vitest";
import { createOpenApi } from "./document.ts";

function pathsOf(...paths: readonly string[]): string[] {
  const routes = paths.map((path) => ({ tag: "a", method: "GET", path }) as const);
  const document = createOpenApi({ routes, sockets: [], requiresKey: false, url: new URL("http://localhost") });
  return Object.keys((document as { readonly paths: object }).paths);
}

test("paths in the syntax of path-to-regexp become templates, with and without optional parts", () => {
  expect(pathsOf("/a")).toEqual(["/a"]);
  expect(pathsOf("/a/:id/b/*rest")).toEqual(["/a/{id}/b/{rest}"]);
  expect(pathsOf("/a/:id{/*path}")).toEqual(["/a/{id}", "/a/{id}/{path}"]);
  expect(pathsOf("/a{.:ending}")).toEqual(["/a", "/a.{ending}"]);
});

test("paths that OpenAPI cannot express are left out", () => {
  expect(pathsOf('/:"a b"', "/a\\:b", "(.*)", "b")).toEqual([]);
});

test("of two routes with one path and method, the first counts", () => {
  const route = { method: "GET", path: "/a" } as const;
  const routes = [
    { ...route, tag: "first" },
    { ...route, tag: "second" },
  ];
  const document = createOpenApi({ routes, sockets: [], requiresKey: false, url: new URL("http://localhost/x/") });
  expect(document).toMatchObject({
    paths: { "/a": { get: { tags: ["first"] } } },
    servers: [{ url: "http://localhost/x" }],
  });
});
