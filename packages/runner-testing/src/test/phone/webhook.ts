import { createHmac, timingSafeEqual } from "node:crypto";
import type { RouteContext } from "@pipecat-ts/runner-core";

/** What a carrier's webhook says of a call. */
export interface IncomingCall {
  readonly from?: string;
  readonly to?: string;
}

export function numbersIn({ From: from, To: to }: Readonly<Record<string, unknown>>): IncomingCall {
  return { ...(typeof from === "string" ? { from } : {}), ...(typeof to === "string" ? { to } : {}) };
}

/** A carrier signs the bytes of its request: the body, or the URL's path and query where there is none. */
export function sign(token: string, signed: string | Buffer): string {
  return createHmac("sha256", token).update(signed).digest("base64");
}

/** The parameters of a webhook request, by GET or POST; empty when there are none. */
export function parametersOf(ctx: RouteContext): Readonly<Record<string, unknown>> {
  const { body } = ctx.request;
  if (ctx.method === "GET") return ctx.query;
  return typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
}

/** Whether the carrier that knows `token` sent this request. */
export function isSigned(ctx: RouteContext, token: string): boolean {
  const expected = Buffer.from(sign(token, ctx.method === "GET" ? ctx.url : (ctx.request.rawBody ?? "")));
  const given = Buffer.from(ctx.get("x-carrier-signature"));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The document that has the carrier call back at `url`. */
export function streamDocument(url: URL): string {
  return `<Response><Stream url="${url.href.replaceAll("&", "&amp;")}"/></Response>`;
}
