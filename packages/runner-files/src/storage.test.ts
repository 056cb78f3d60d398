import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFileStorage } from "./storage.ts";

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-files-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function* contentOf(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

test("a file is loaded by its URL until it is deleted", async () => {
  const storage = createFileStorage({ folder: join(createFolder(), "new") });
  const url = await storage.save(contentOf("hel", "lo"));
  expect(url).toMatch(/^pipecat:[0-9a-f]{32}$/);
  expect(Buffer.from(await storage.load(url)).toString()).toBe("hello");
  await storage.delete(url);
  await expect(storage.load(url)).rejects.toThrow(expect.objectContaining({ code: "FILE_UNKNOWN", status: 404 }));
  await storage.delete(url);
});

test("a folder that cannot be created is rejected before the first upload", () => {
  const file = join(createFolder(), "file");
  writeFileSync(file, "");
  expect(() => createFileStorage({ folder: join(file, "folder") })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining("ENOTDIR") }),
  );
  expect(() => createFileStorage({ folder: file })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("a URL never names a file outside of the storage", async () => {
  const folder = createFolder();
  writeFileSync(join(folder, "secret"), "secret");
  writeFileSync(join(folder, "0".repeat(32)), "stored");
  const storage = createFileStorage({ folder });
  const urls = [
    "secret",
    "pipecat:secret",
    "pipecat:../secret",
    `pipecat:./${"0".repeat(32)}`,
    `file:${folder}/secret`,
  ];
  for (const url of [...urls, "", "0".repeat(32), `pipecat:${"0".repeat(32)}\n`, `pipecat:${"0".repeat(33)}`]) {
    await expect(storage.load(url)).rejects.toThrow(expect.objectContaining({ code: "FILE_UNKNOWN" }));
    await storage.delete(url);
  }
  expect(readdirSync(folder)).toHaveLength(2);
});

test("the oldest files above the maximum are deleted, and other files stay", async () => {
  const folder = createFolder();
  writeFileSync(join(folder, "notes.txt"), "mine");
  const storage = createFileStorage({ folder, maxFiles: 2 });
  const urls: string[] = [];
  for (const [age, text] of ["a", "b", "c"].entries()) {
    const url = await storage.save(contentOf(text));
    urls.push(url);
    const path = join(folder, url.slice("pipecat:".length));
    utimesSync(path, 1_000 + age, 1_000 + age);
  }
  const [first = "", second = ""] = urls;
  await expect(storage.load(first)).rejects.toThrow();
  expect(String(await storage.load(second))).not.toBe("");
  expect(existsSync(join(folder, "notes.txt"))).toBe(true);
  expect(readdirSync(folder)).toHaveLength(3);
});

test("two files at once beyond the maximum leave one", async () => {
  const folder = createFolder();
  const storage = createFileStorage({ folder, maxFiles: 1 });
  const urls = await Promise.all(["a", "b", "c"].map((text) => storage.save(contentOf(text))));
  expect(readdirSync(folder)).toHaveLength(1);
  const loaded = await Promise.allSettled(urls.map(storage.load));
  expect(loaded.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("0 keeps all files", async () => {
  const folder = createFolder();
  const storage = createFileStorage({ folder, maxFiles: 0 });
  for (let index = 0; index < 12; index++) await storage.save(contentOf("x"));
  expect(readdirSync(folder)).toHaveLength(12);
});

test("a file whose content fails leaves nothing, and rejects with the same error", async () => {
  const folder = createFolder();
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    throw new Error("the client left");
  }
  await expect(createFileStorage({ folder }).save(failing())).rejects.toThrow("the client left");
  expect(readdirSync(folder)).toEqual([]);
});

test("a save that rejects because the oldest file cannot be deleted leaves nothing", async () => {
  const folder = createFolder();
  const oldest = "0".repeat(32);
  mkdirSync(join(folder, oldest)); // cannot be deleted like a file
  utimesSync(join(folder, oldest), 0, 0);
  await expect(createFileStorage({ folder, maxFiles: 1 }).save(contentOf("x"))).rejects.toThrow("directory");
  expect(readdirSync(folder)).toEqual([oldest]);
});

test("a save rejects with the error of its content, also when its file cannot be deleted", async () => {
  const folder = createFolder();
  async function* cutOff(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    rmSync(folder, { recursive: true });
    writeFileSync(folder, ""); // No path below it exists, or can be deleted.
    throw new Error("cut off");
  }
  await expect(createFileStorage({ folder }).save(cutOff())).rejects.toThrow("cut off");
});

test("the file exists before its content is read, so that it can be deleted when the content fails at once", async () => {
  const folder = createFolder();
  let created: readonly string[] = [];
  // biome-ignore lint/correctness/useYield: it fails at once.
  async function* failing(): AsyncGenerator<Uint8Array> {
    created = readdirSync(folder);
    throw new Error("the client left");
  }
  await expect(createFileStorage({ folder }).save(failing())).rejects.toThrow("the client left");
  expect(created).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.part$/)]);
  expect(readdirSync(folder)).toEqual([]);
});

test("unfinished files of a process that was killed are deleted after 10 minutes", async () => {
  const folder = createFolder();
  const [stale, recent] = ["a", "b"].map((letter) => join(folder, `${letter.repeat(32)}.part`)) as [string, string];
  writeFileSync(stale, "x");
  writeFileSync(recent, "x");
  const elevenMinutesAgo = Date.now() / 1000 - 11 * 60;
  utimesSync(stale, elevenMinutesAgo, elevenMinutesAgo);
  await createFileStorage({ folder }).save(contentOf("x"));
  expect([existsSync(stale), existsSync(recent)]).toEqual([false, true]);
});
