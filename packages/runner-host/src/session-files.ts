import type { FileStorage } from "@pipecat-ts/runner-core";
import { unknownFile } from "@pipecat-ts/runner-files";
import type { HostSession } from "@pipecat-ts/runner-sessions";

/** Which session each uploaded file belongs to. Files that were uploaded without a session belong to all. */
export interface SessionFiles {
  readonly storage: FileStorage;
  /** Gives the file to the session: its bot alone can read it, and it is deleted when the session ends. */
  add(session: HostSession, url: string): void;
  /** How many files the session has uploaded. */
  countOf(session: HostSession): number;
  /** `args.fileStorage`: the storage without the files of other sessions. */
  storageOf(session: HostSession): FileStorage;
}

export function createSessionFiles(storage: FileStorage): SessionFiles {
  const owners = new Map<string, HostSession>();
  const counts = new WeakMap<HostSession, number>();
  const countOf = (session: HostSession): number => counts.get(session) ?? 0;
  return {
    storage,
    countOf,
    add(session, url) {
      counts.set(session, countOf(session) + 1);
      owners.set(url, session);
      session.onEnd(async () => {
        owners.delete(url);
        await storage.delete(url);
      });
    },
    storageOf(session) {
      const isForeign = (url: string): boolean => (owners.get(url) ?? session) !== session;
      return {
        save: (content) => storage.save(content),
        async load(url) {
          if (isForeign(url)) throw unknownFile(url);
          return await storage.load(url);
        },
        async delete(url) {
          if (!isForeign(url)) await storage.delete(url);
        },
      };
    },
  };
}
