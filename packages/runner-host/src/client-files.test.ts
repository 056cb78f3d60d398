import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fakePlugin } from "./test/fake-plugin.ts";
import { startRunner } from "./test/fixture.ts";

let folder: string;
let clientRoot: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "runner-host-"));
  clientRoot = join(folder, "client");
  await mkdir(join(clientRoot, "assets"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(clientRoot, "index.html"), "<!doctype html>");
  await writeFile(join(clientRoot, "assets", "index-Bx3_k9Qz.js"), "hello()");
  await writeFile(join(clientRoot, "assets", "index-Bx3_k9Qz.css"), "a{}");
  await writeFile(join(clientRoot, "voice.wav"), "RIFF");
});

afterAll(() => rm(folder, { recursive: true }));

test("the root leads to the client, with its query", async () => {
  await using host = await startRunner({ clientRoot });
  for (const [from, to] of [
    ["/", "/client/"],
    ["/?a=1", "/client/?a=1"],
    ["/client", "/client/"],
  ] as const) {
    const response = await host.fetch(from);
    expect([response.status, response.headers.get("location")]).toEqual([307, to]);
  }
});

test.each([
  ["/client/", "text/html; charset=utf-8", "no-cache"],
  ["/client/index.html", "text/html; charset=utf-8", "no-cache"],
  ["/client/assets/index-Bx3_k9Qz.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/client/assets/index-Bx3_k9Qz.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/client/voice.wav", "audio/wav", "no-cache"],
])("%s is %s, cached: %s", async (path, type, caching) => {
  await using host = await startRunner({ clientRoot });
  const response = await host.fetch(path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(
    new RegExp(`^${type.replace("audio/wav", "audio/(x-|vnd.)?wave?")}$`),
  );
  expect(response.headers.get("cache-control")).toBe(caching);
  const body = await response.text();
  expect(Number(response.headers.get("content-length"))).toBe(body.length);

  const head = await host.fetch(path, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, String(body.length), ""]);

  const etag = response.headers.get("etag") ?? "";
  const again = await host.fetch(path, { headers: { "if-none-match": etag, "cache-control": "" } });
  expect([again.status, await again.text()]).toEqual([304, ""]);
});

test.each([
  "/client/none.js",
  "/client/assets",
  "/client/assets/",
  "/client/../secret.txt",
  "/client/..%2fsecret.txt",
  "/client/%2e%2e/secret.txt",
  "/client/assets/..%2f..%2fsecret.txt",
  "/client/..%5csecret.txt",
  "/client//etc/passwd",
  "/client/%2fetc%2fpasswd",
  "/client/x%00.html",
  "/client/%E0%A4%A",
])("%s is not served", async (path) => {
  await using host = await startRunner({ clientRoot });
  // fetch would tidy the path up first.
  const { port } = host.runner.url;
  const status = await new Promise((resolve, reject) => {
    const sent = request({ port, path, host: "127.0.0.1", agent: false }, (reply) => {
      reply.resume();
      resolve(reply.statusCode);
    });
    sent.on("error", reject).end();
  });
  expect(status).toBe(404);
});

test("a file that changes is served as it is now", async () => {
  await using host = await startRunner({ clientRoot });
  const file = join(clientRoot, "changing.html");
  for (const content of ["one", "two", "three"]) {
    await writeFile(file, content);
    await utimes(file, new Date(), new Date(Date.now() + content.charCodeAt(1) * 1_000));
    expect(await (await host.fetch("/client/changing.html")).text()).toBe(content);
  }
});

test("a client that asks for a file a thousand times and reads no answer opens it once", async () => {
  await using host = await startRunner({ clientRoot });
  await writeFile(join(clientRoot, "large.bin"), Buffer.alloc(1_000_000));
  const before = process.memoryUsage().arrayBuffers;
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.pause().write("GET /client/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000));
  for (let round = 0; round < 10; round++) expect((await host.fetch("/livez")).status).toBe(200);
  expect(process.getActiveResourcesInfo().filter((kind) => kind === "FSReqCallback").length).toBeLessThan(10);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  socket.destroy();
});

test("a file that goes away is 404, and the server lives", async () => {
  await using host = await startRunner({ clientRoot });
  const file = join(clientRoot, "gone.html");
  await writeFile(file, "x");
  expect((await host.fetch("/client/gone.html")).status).toBe(200);
  await rm(file);
  expect((await host.fetch("/client/gone.html")).status).toBe(404);
});

test("without a client there is neither / nor /client/", async () => {
  await using host = await startRunner();
  for (const path of ["/", "/client/"]) {
    const response = await host.fetch(path);
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: "NOT_FOUND" })]);
  }
});

test("a transport may take the root for what is meant for it, and pass on the rest", async () => {
  const webhook = fakePlugin({
    opened: {
      routes: [
        {
          method: "GET",
          path: "/",
          access: "carrier",
          handle: (ctx, next) => {
            if (ctx.query.CallSid === undefined) return next();
            ctx.body = "<Response/>";
          },
        },
      ],
    },
  });
  await using host = await startRunner({ clientRoot, plugins: [webhook] });
  expect(await (await host.fetch("/?CallSid=CA1")).text()).toBe("<Response/>");
  expect((await host.fetch("/")).status).toBe(307);
});
