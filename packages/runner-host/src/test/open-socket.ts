import { once } from "node:events";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import type { ToyRunner } from "./toy-runner.ts";

/** Opens a socket of a runner: `open`, or the status and code it was refused with. Given `url`, that whole address. */
export async function openSocket(
  host: ToyRunner,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<"open" | `${number} ${string}`> {
  const socket = new WebSocket(new URL(path, host.runner.url), { headers });
  const outcome = Promise.race([
    once(socket, "open").then(() => "open" as const),
    once(socket, "unexpected-response").then(async ([, response]) => {
      const { code } = JSON.parse(await text(response));
      return `${response.statusCode as number} ${code}` as const;
    }),
  ]);
  return await outcome;
}
