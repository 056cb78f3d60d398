import { isReachedByOthers, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { AccessOptions } from "./access-options.ts";
import type { InstalledTransport } from "./installed-transport.ts";

/** See `Runner.openToAll`. What carriers call by HTTP is among it where their routes cannot know them by signature. */
export function openToAll(
  settings: Pick<RunnerSettings, "host" | "publicUrl" | "trustProxy">,
  { apiKey, webSocketAuth }: Pick<AccessOptions, "apiKey" | "webSocketAuth">,
  folder: string | undefined,
  transports: readonly InstalledTransport[],
): readonly string[] {
  if (!isReachedByOthers(settings)) return [];
  const opened = transports.flatMap(({ open }) => open ?? []);
  const routes = opened.flatMap((open) => open.routes ?? []);
  const sockets = opened.flatMap((open) => open.sockets ?? []);
  const asksNobody = (access: string) => access === "caller" && apiKey === undefined;
  return [
    ...(apiKey === undefined ? ["POST /start", "/sessions", "/metrics"] : []),
    ...(apiKey === undefined && folder !== undefined ? ["/files"] : []),
    ...routes
      .filter(({ access, takesAnybody }) => asksNobody(access) || takesAnybody === true)
      .map(({ method, path }) => `${[method].flat()[0]} ${path}`),
    ...sockets
      .filter(({ access }) => webSocketAuth === "none" && (asksNobody(access) || access === "carrier"))
      .map(({ path }) => `WS ${path.replace(/\{.*/, "")}`),
  ].filter((path, index, all) => all.indexOf(path) === index && !/^[A-Z]+ \/sessions/.test(path));
}
