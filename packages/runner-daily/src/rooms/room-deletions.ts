import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@pipecat-ts/runner-core";
import type { DailyRest } from "./rest.ts";

/** Deletes rooms in the order they are given, as fast as Daily takes it: two a second. */
export interface RoomDeletions {
  /** Has a room deleted in its turn. One that cannot be deleted expires by itself, and `logger` says so. */
  add(room: string, rest: Pick<DailyRest, "deleteRoom">, logger: Logger): void;
  /** Resolves when all are deleted, after 1.5 s at the latest: of what is left then, the log says how much. */
  close(): Promise<void>;
}

interface Deletion {
  readonly room: string;
  readonly rest: Pick<DailyRest, "deleteRoom">;
  readonly logger: Logger;
}

/** Counted from one answer to the next request, so that nothing on the way brings two of them closer together. */
const pauseMs = 500;
/** A runner gives its transports 2 s to close. */
const closeMs = 1_500;

export function createRoomDeletions(logger: Logger): RoomDeletions {
  const waiting: Deletion[] = [];
  let working: Promise<void> | undefined;
  let freeAtMs = 0;

  async function work(): Promise<void> {
    for (let next = waiting[0]; next; next = waiting[0]) {
      const pause = freeAtMs - performance.now();
      if (pause > 0) await sleep(pause);
      // It may have been given up meanwhile.
      if (waiting[0] !== next) continue;
      waiting.shift();
      await deleteRoom(next);
      freeAtMs = performance.now() + pauseMs;
    }
    working = undefined;
  }

  return {
    add(room, rest, roomLogger) {
      waiting.push({ room, rest, logger: roomLogger });
      working ??= work();
    },
    async close() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, closeMs);
      await Promise.race([working, late]);
      clearTimeout(timer);
      const left = waiting.splice(0).length;
      if (left > 0) logger.warn(`Rooms that were not deleted in time, and expire by themselves: ${left}.`);
    },
  };
}

async function deleteRoom({ room, rest, logger }: Deletion): Promise<void> {
  try {
    await rest.deleteRoom(room);
  } catch (err) {
    logger.warn({ err }, "The room could not be deleted: it expires by itself.");
  }
}
