import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { RunnerSettings } from "@pipecat-ts/runner-core";
import { isUnspecified } from "./runner-settings.ts";

/** Resolves the public URLs of one runner; see `RunnerContext.urlFor`. */
export type UrlFor = (path: string, request?: IncomingMessage, scheme?: "http" | "ws") => URL;

/** The one resolver of public URLs. `bound` tells where the server listens, for when nothing better is known. */
export function createUrlFor(settings: RunnerSettings, bound: () => URL): UrlFor {
  return (path, request, scheme = "http") => {
    const base = settings.publicUrl ?? (request && requestUrl(request, settings.trustProxy)) ?? bound();
    // Joined as text: `new URL("//host/x", base)` would leave the base's host.
    const url = new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`);
    if (scheme === "ws") url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url;
  };
}

/** Where the server is, as a browser on this machine reaches it. */
export function boundUrl(host: string, port: number): URL {
  const name = isUnspecified(host) ? "localhost" : host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;
  return new URL(`http://${name}:${port}`);
}

/** By which URL this request was made, `undefined` when its headers do not say it or say nonsense. */
function requestUrl(request: IncomingMessage, trustProxy: boolean): URL | undefined {
  const forwarded = (name: string) => (trustProxy ? firstOf(request.headers[name]) : undefined);
  const encrypted = (request.socket as Partial<TLSSocket>).encrypted === true;
  const protocol = forwarded("x-forwarded-proto")?.toLowerCase();
  const scheme = protocol === "https" || protocol === "http" ? protocol : encrypted ? "https" : "http";
  return hostUrl(scheme, forwarded("x-forwarded-host")) ?? hostUrl(scheme, request.headers.host);
}

function hostUrl(scheme: string, host: string | undefined): URL | undefined {
  if (host === undefined || !/^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host)) return undefined;
  const url = URL.parse(`${scheme}://${host}`);
  return url && !isUnspecified(url.hostname) ? url : undefined;
}

/** A chain of proxies appends, so the first is the one the caller spoke to. */
function firstOf(header: string | string[] | undefined): string | undefined {
  return [header].flat()[0]?.split(",")[0]?.trim() || undefined;
}
