import { readFileSync } from "node:fs";
import type { Access, HttpMethod } from "@pipecat-ts/runner-core";

/** A route to describe. */
export interface OpenApiRoute {
  /** The heading under which tools show it: the transport's name. */
  readonly tag: string;
  readonly method: HttpMethod | readonly HttpMethod[];
  /** In the syntax of path-to-regexp 8. */
  readonly path: string;
  /** `operator`: like `caller`, and without a key not for pages of other origins. `undefined`: unknown. */
  readonly access?: Access | "operator" | undefined;
  readonly summary?: string | undefined;
  readonly body?: RequestBody | undefined;
}

/** The body that a route accepts. */
interface RequestBody {
  /** A MIME type. */
  readonly type: string;
  /** JSON Schema 2020-12, as OpenAPI 3.1 uses it. TypeBox schemas are. */
  readonly schema: object;
  readonly required?: boolean;
}

/** A WebSocket path to describe. OpenAPI has only its handshake. */
export interface OpenApiSocket {
  readonly tag: string;
  readonly path: string;
}

export interface OpenApiFacts {
  readonly routes: readonly OpenApiRoute[];
  readonly sockets: readonly OpenApiSocket[];
  /** Whether the server has an API key. */
  readonly requiresKey: boolean;
  /** The base URL, with the path of the public URL. */
  readonly url: URL;
}

/** The description of a runner's HTTP interface: OpenAPI 3.1. When several routes have one path and method, the first counts. */
export function createOpenApi({ routes, sockets, requiresKey, url }: OpenApiFacts): object {
  const paths: Record<string, Record<string, object>> = {};
  function add(template: string, method: string, operation: object): void {
    const item = paths[template] ?? {};
    paths[template] = item;
    item[method] ??= operation;
  }

  for (const route of routes) {
    for (const template of templatesOf(route.path)) {
      for (const method of [route.method].flat()) {
        add(template, method.toLowerCase(), operationOf(route, template, requiresKey));
      }
    }
  }
  for (const { tag, path } of sockets) {
    for (const template of [path, `${path}/{credential}`]) add(template, "get", handshakeOf(tag, template));
  }
  return {
    openapi: "3.1.0",
    info: { title: "pipecat-runner", version: readVersion() },
    servers: [{ url: url.href.replace(/\/$/, "") }],
    tags: [...new Set([...routes, ...sockets].map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: {
        Error: {
          type: "object",
          required: ["detail", "code"],
          properties: { detail: { type: "string" }, code: { type: "string" } },
        },
      },
      ...(requiresKey && { securitySchemes: { apiKey: { type: "http", scheme: "bearer" } } }),
    },
  };
}

const accessNotes: Readonly<Record<string, string>> = {
  carrier: "Called by a vendor's server.",
  operator: "Concerns all callers: without an API key, pages of other origins are rejected.",
};

function operationOf(route: OpenApiRoute, template: string, requiresKey: boolean): object {
  const { tag, access = "open", summary, body } = route;
  const needsKey = requiresKey && (access === "caller" || access === "operator");
  return {
    tags: [tag],
    ...(summary !== undefined && { summary }),
    ...(accessNotes[access] !== undefined && { description: accessNotes[access] }),
    ...parametersOf(template),
    ...(body && {
      requestBody: { required: body.required ?? true, content: { [body.type]: { schema: body.schema } } },
    }),
    responses: { "2XX": { description: "Success" }, default: errorResponse },
    security: needsKey ? [{ apiKey: [] }] : [],
  };
}

function handshakeOf(tag: string, template: string): object {
  return {
    tags: [tag],
    summary: "WebSocket handshake",
    ...parametersOf(template),
    responses: { "101": { description: "Switching protocols" }, default: errorResponse },
  };
}

const errorResponse = {
  description: "Error",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
};

/** `/sessions/:id{/*path}` as `/sessions/{id}` and `/sessions/{id}/{path}`. Paths that OpenAPI cannot express are left out. */
function templatesOf(path: string): string[] {
  const whole = path.replace(/\{([^{}]*)\}/g, "$1");
  const short = path.replace(/\{[^{}]*\}/g, "");
  return [...new Set([short, whole])]
    .map((variant) => variant.replace(/[:*](\w+)/g, "{$1}"))
    .filter((template) => /^\/[^(*:\\"]*$/.test(template));
}

function parametersOf(template: string): { readonly parameters?: readonly object[] } {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  if (names.length === 0) return {};
  return { parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })) };
}

/** The version of this package, which all packages share. Its package.json is one folder above both `src` and `dist`. */
function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String(manifest.version);
}
