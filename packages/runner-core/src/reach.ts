import type { RunnerSettings } from "./runner.ts";

/** Whether a host name means this machine, to itself alone: `localhost`, names under it, `127.*`, `::1`. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$|\.$/g, "");
  return /^(.+\.)?localhost$|^127(\.\d{1,3}){3}$|^::1$|^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(name);
}

/** Whether others than this machine reach a runner: by its address, by its public URL, or through the proxy that it trusts. */
export function isReachedByOthers({
  host,
  publicUrl,
  trustProxy,
}: Pick<RunnerSettings, "host" | "publicUrl" | "trustProxy">): boolean {
  return trustProxy || !isLoopback(host) || (publicUrl !== undefined && !isLoopback(publicUrl.hostname));
}
