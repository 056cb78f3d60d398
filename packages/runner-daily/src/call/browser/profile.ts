import { mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** How the names of all profiles begin that a process makes. */
export function profilePrefix(pid: number): string {
  return join(tmpdir(), `${ownPrefix()}${pid}-`);
}

/** A fresh folder for a browser to keep its things in. */
export async function createProfile(): Promise<string> {
  return await mkdtemp(profilePrefix(process.pid));
}

/**
 * Removes a profile, whose browser has ended, and the folder beside it that the browser keeps the profile's lock in, which
 * it would remove only if it ended by itself. Never rejects: a folder that stays all the same is for the system to clear.
 */
export async function removeProfile(profile: string): Promise<void> {
  const lock = await readlink(join(profile, "SingletonSocket")).then(dirname, () => undefined);
  // The browser wrote that link: it leads nowhere but to such a folder.
  if (lock !== undefined && dirname(lock) === tmpdir() && /^\.?(org\.chromium|com\.google)\./.test(basename(lock))) {
    await remove(lock);
  }
  await remove(profile);
}

/** Removes the profiles of processes that were killed, whose browsers ended with them. Never rejects. */
export async function removeOrphans(): Promise<void> {
  const prefix = ownPrefix();
  const names = await readdir(tmpdir()).catch(() => []);
  for (const name of names) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)-\w{6}$/.exec(name.slice(prefix.length))) || [];
    if (pid !== undefined && !isAlive(Number(pid))) await removeProfile(join(tmpdir(), name));
  }
}

/** With the machine's name: containers that share this folder have process ids of their own. */
function ownPrefix(): string {
  return `pipecat-daily-${hostname()}-`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // Another user's is alive.
  }
}

/** The browser's children may write for some moments more. */
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }).catch(() => undefined);
}
