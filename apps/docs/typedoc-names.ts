import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Application, Converter } from "typedoc";

/** A plugin of TypeDoc: names each module after its package instead of its folder, such as `runner-core`. */
export function load(app: Application): void {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) {
      const manifest = join(import.meta.dirname, "../../packages", module.name, "../package.json");
      const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly name: string };
      module.name = name.replace("@pipecat-ts/", "");
    }
  });
}
