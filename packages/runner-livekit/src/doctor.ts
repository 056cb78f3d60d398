import type { DoctorCheck } from "@pipecat-ts/runner-core";
import { createRoomService } from "./api.ts";
import type { LiveKitOptions } from "./options.ts";

/** How long the server may take to answer, in ms. */
const apiMs = 4_000;

/** The check of `pipecat-runner doctor`: whether the server accepts the API key. None without the three settings. */
export function doctorChecks({ url, apiKey: key, apiSecret: secret }: LiveKitOptions): readonly DoctorCheck[] {
  if (url === undefined || key === undefined || secret === undefined) return [];
  return [
    {
      name: "API key",
      async run() {
        await createRoomService({ url, key, secret, timeoutMs: apiMs, attempts: 1 }).checkKey();
        return { state: "passed", detail: "the LiveKit server accepts it" };
      },
    },
  ];
}
