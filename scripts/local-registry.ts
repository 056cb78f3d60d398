import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { type LocalServer, startLocalServer } from "../packages/runner-testing/src/vendors/local-server.ts";
import type { Package } from "./tarballs.ts";

/**
 * Starts an npm registry on this machine. It has `packages`, and redirects all other requests to the registry `upstream`: there,
 * npm uses its cache, its proxy and its certificates as always.
 */
export async function startRegistry(packages: readonly Package[], upstream: string): Promise<LocalServer> {
  const tarballs = new Map(packages.map(({ tarball }) => [`/tarballs/${basename(tarball)}`, tarball]));
  const byName = new Map(packages.map((each) => [`/${each.name}`, each]));
  const registry = await startLocalServer(({ method, url = "/" }, response) => {
    const path = decodeURIComponent(url);
    const [found, tarball] = [byName.get(path), tarballs.get(path)];
    if (method === "GET" && tarball !== undefined) createReadStream(tarball).pipe(response);
    else if (method === "GET" && found !== undefined)
      response.setHeader("content-type", "application/json").end(JSON.stringify(packumentOf(found, registry.origin)));
    else response.writeHead(307, { location: new URL(url.slice(1), upstream).href }).end();
  });
  return registry;
}

/** What a registry says about a package: https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md */
function packumentOf({ name, manifest, tarball, integrity }: Package, origin: string) {
  const { version } = manifest;
  const dist = { tarball: `${origin}/tarballs/${basename(tarball)}`, integrity };
  return { name, "dist-tags": { latest: version }, versions: { [version]: { ...manifest, dist } } };
}
