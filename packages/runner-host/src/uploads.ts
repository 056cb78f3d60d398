import { RunnerError } from "@pipecat-ts/runner-core";
import { receiveFile } from "@pipecat-ts/runner-files";
import type { HostSession, SessionEngine } from "@pipecat-ts/runner-sessions";
import type { Context } from "koa";
import { findSession } from "./access.ts";
import type { ConnectionGuard } from "./connections.ts";
import type { HostRoute } from "./route.ts";
import type { SessionFiles } from "./session-files.ts";

/** Uploads in progress. Each holds a file descriptor and up to 50 MiB of the disk. */
const maxUploads = 10;
const uploadBody = {
  type: "multipart/form-data",
  schema: {
    type: "object",
    required: ["file"],
    properties: { file: { contentMediaType: "application/octet-stream" } },
  },
};
/** Files that one session may upload. */
const maxSessionFiles = 100;

export interface UploadRouteOptions {
  readonly engine: SessionEngine;
  /** Undefined when uploads are off. */
  readonly files: SessionFiles | undefined;
  readonly guard: Pick<ConnectionGuard, "streams">;
}

/**
 * `POST /files` stores a file; `POST /sessions/{id}/files` stores one until the session ends. Both reply with the file as RTVI's
 * `send-file` has it: `{name, source: {type: "url", url}, format}`.
 */
export function uploadRoutes({ engine, files, guard }: UploadRouteOptions): HostRoute[] {
  let uploads = 0;

  async function answer(ctx: Context, session?: HostSession): Promise<void> {
    if (files === undefined) {
      throw new RunnerError("UPLOADS_DISABLED", "This server does not accept files.", {
        fix: "Start it with --uploads-folder <path>.",
      });
    }
    if (session && files.countOf(session) >= maxSessionFiles) {
      throw new RunnerError("AT_CAPACITY", `This session has sent ${maxSessionFiles} files.`, {
        fix: "Start another session.",
      });
    }
    if (uploads >= maxUploads) {
      throw new RunnerError("AT_CAPACITY", `${maxUploads} files are being received already.`, {
        status: 503,
        fix: "Try again in a moment.",
      });
    }
    uploads += 1;
    guard.streams(ctx.req);
    const { name, url, format } = await receiveFile(ctx.req, files.storage).finally(() => {
      uploads -= 1;
    });
    if (session) files.add(session, url);
    ctx.body = { name, source: { type: "url", url }, format };
  }

  const route = { method: "POST", access: "caller", body: uploadBody } as const;
  return [
    {
      ...route,
      path: "/files",
      summary: "Stores a file, of at most 50 MiB",
      handle: (ctx) => answer(ctx),
    },
    {
      ...route,
      path: "/sessions/:sessionId/files",
      summary: "Stores a file until the session ends",
      handle: (ctx) => answer(ctx, findSession(engine, ctx.params.sessionId ?? "")),
    },
  ];
}
