import { readdirSync, readFileSync, readlinkSync } from "node:fs";

// What other processes of this machine hold, from proc(5). Linux only.

/** The ids of the processes that have not ended and whose file, such as `cmdline`, matches. */
export function findProcesses(file: string, matches: (text: string) => boolean): string[] {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const text = readFileSync(`/proc/${entry}/${file}`, "utf8");
      return matches(text) && !/^State:\tZ/m.test(readFileSync(`/proc/${entry}/status`, "utf8"));
    } catch {
      return false; // It has ended, or belongs to another user.
    }
  });
}

/** The ids of the processes that a process has started. */
export function childrenOf(pid: number | "self" = "self"): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
}

/** What the descriptors of a process lead to, like `socket:[1234]`. */
export function descriptorsOf(pid: number | "self" | undefined): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
    } catch {
      return []; // It is closed, such as the descriptor of the listing itself.
    }
  });
}
