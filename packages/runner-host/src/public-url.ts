import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";

/** Resolves public URLs, see `RunnerContext.url`. `bound` returns where the server listens. */
export function createPublicUrls(
  settings: RunnerSettings,
  bound: () => URL,
): (path: string, request?: IncomingMessage) => URL {
  return (path, request) => {
    const base = settings.publicUrl ?? (request && requestUrl(request, settings.trustProxy)) ?? bound();
    // Joined as text: `new URL("//host/x", base)` would replace the base's host.
    return new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`);
  };
}

/** The URL of a server for a browser on this machine. */
export function boundUrl(host: string, port: number): URL {
  const name = isUnspecified(host) ? "localhost" : host.includes(":") ? `[${host.replace(/^\[|\]$/g, "")}]` : host;
  return new URL(`http://${name}:${port}`);
}

/** The URL that the client of this request used; `undefined` when its headers do not contain it. */
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

/** Proxies append, so the first value is the one that the client used. */
function firstOf(header: string | string[] | undefined): string | undefined {
  return [header].flat()[0]?.split(",")[0]?.trim() || undefined;
}

/** Adds `https://` to a bare hostname and removes trailing slashes. Throws OPTION_INVALID. */
export function parsePublicUrl(text: string): URL {
  const url = URL.parse((/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`).replace(/\/+$/, ""));
  const plain = url?.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (url && plain && /^https?:$/.test(url.protocol) && !isUnspecified(url.hostname)) return url;
  // The text may contain a password, so it is not repeated.
  throw new RunnerError("OPTION_INVALID", "--public-url or --proxy is not the address of a web server.", {
    fix: 'Use a hostname or a URL that callers can open, like "my.ngrok.io" or "https://bots.example.com/voice".',
  });
}

/** Whether a host means all networks of this machine, which is not an address to call: `0.0.0.0`, `::`. */
function isUnspecified(host: string): boolean {
  return /^(0\.0\.0\.0|\[?::\]?|\[?::ffff:(0\.0\.0\.0|0:0)\]?)$/i.test(host);
}
