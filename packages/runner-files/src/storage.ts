import { randomBytes } from "node:crypto";
import { accessSync, constants, mkdirSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type FileStorage, RunnerError } from "@pipecat-ts/runner-core";

/** Where files are stored on disk. */
export interface FileStorageOptions {
  /** Created if it does not exist. Files with other names than those of this storage are left alone. */
  readonly folder: string;
  /** How many files to keep: the oldest are deleted. 0 keeps all. Default 10, as in Pipecat's own runner. */
  readonly maxFiles?: number;
}

/** The scheme of Pipecat's own storage, for URLs that only the runner can read. */
const scheme = "pipecat:";
const fileName = /^[0-9a-f]{32}$/;
/** A file that is being received has this ending, and cannot be loaded. */
const partEnding = ".part";
/** The server ends requests after 60 s. Such a file is left from a process that was killed. */
const stalePartMs = 10 * 60_000;

/**
 * Stores files in a folder, under random names that are also their URLs: nothing that a caller sends becomes a path. Several
 * processes may use the same folder. Throws OPTION_INVALID when no file can be created in the folder.
 */
export function createFileStorage({ folder, maxFiles = 10 }: FileStorageOptions): FileStorage {
  requireWritable(folder);

  function pathOf(url: string): string | undefined {
    const name = url.startsWith(scheme) ? url.slice(scheme.length) : "";
    return fileName.test(name) ? join(folder, name) : undefined;
  }

  async function trim(): Promise<void> {
    const names = await readdir(folder);
    await deleteStaleParts(names.filter((name) => name.endsWith(partEnding)));
    const stored = names.filter((name) => fileName.test(name));
    if (maxFiles === 0 || stored.length <= maxFiles) return;
    const byAge = (await Promise.all(stored.map(ageOf))).sort((a, b) => b.modifiedNs - a.modifiedNs);
    await Promise.all(byAge.slice(maxFiles).map(({ path }) => rm(path, { force: true })));
  }

  async function ageOf(name: string): Promise<{ readonly path: string; readonly modifiedNs: number }> {
    const path = join(folder, name);
    // Another upload may delete it at the same time.
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return { path, modifiedNs: Number(found?.mtimeNs ?? 0) };
  }

  async function deleteStaleParts(names: readonly string[]): Promise<void> {
    const staleNs = (Date.now() - stalePartMs) * 1e6;
    const parts = await Promise.all(
      names.filter((name) => fileName.test(name.slice(0, -partEnding.length))).map(ageOf),
    );
    await Promise.all(
      parts.filter(({ modifiedNs }) => modifiedNs < staleNs).map(({ path }) => rm(path, { force: true })),
    );
  }

  return {
    async save(content) {
      await mkdir(folder, { recursive: true });
      const name = randomBytes(16).toString("hex");
      const part = join(folder, `${name}${partEnding}`);
      // Opened first: a stream that is destroyed while it opens its file may create it after it was deleted.
      const file = await open(part, "wx", 0o600);
      try {
        await pipeline(content, file.createWriteStream());
        await rename(part, join(folder, name));
        await trim();
      } catch (error) {
        // The caller needs the first error.
        await Promise.allSettled([part, join(folder, name)].map((path) => rm(path, { force: true })));
        throw error;
      }
      return `${scheme}${name}`;
    },
    async load(url) {
      const path = pathOf(url);
      const content = path === undefined ? undefined : await readFile(path).catch(missingOnly);
      if (content) return content;
      throw unknownFile(url);
    },
    async delete(url) {
      const path = pathOf(url);
      if (path !== undefined) await rm(path, { force: true });
    },
  };
}

function requireWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { message } = cause as Error;
    throw new RunnerError("OPTION_INVALID", `The folder for uploads cannot be used: ${message}.`, {
      fix: "Name a folder that this process may write to.",
      cause,
    });
  }
}

/** The error of `load` for a URL without a file. */
export function unknownFile(url: string): RunnerError {
  return new RunnerError("FILE_UNKNOWN", `The file ${JSON.stringify(url.slice(0, 100))} does not exist.`, {
    fix: "Upload it again: files are deleted when their session ends, and the oldest when there are too many.",
  });
}

function missingOnly(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
