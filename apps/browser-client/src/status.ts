import { notJson, refused, unreachable } from "./messages.ts";

/** What `GET /status` says: the transports that the runner offers, in its order. */
export interface Status {
  readonly transports: readonly string[];
}

/** Asks the runner what it offers. Rejects with an Error whose message is for the person who looks at the page. */
export async function fetchStatus(url: string, signal?: AbortSignal): Promise<Status> {
  const response = await fetch(url, { cache: "no-store", ...(signal ? { signal } : {}) }).catch((cause) => {
    throw new Error(unreachable(url), { cause });
  });
  if (!response.ok) throw new Error(refused("GET", url, `${response.status} ${response.statusText}`.trim()));
  const body: unknown = await response.json().catch((cause) => {
    throw new Error(notJson("GET", url), { cause });
  });
  const transports = typeof body === "object" && body !== null && "transports" in body ? body.transports : undefined;
  if (!Array.isArray(transports)) throw new Error(notJson("GET", url));
  return { transports: transports.filter((name) => typeof name === "string") };
}
