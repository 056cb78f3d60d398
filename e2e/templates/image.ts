import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, matchesGlob, relative } from "node:path";
import { promisify } from "node:util";
import { run } from "../../scripts/tarballs.ts";
import { launch } from "./program.ts";

const execute = promisify(execFile);

/** The image that one FROM of a Dockerfile begins, in a folder. */
interface Image {
  /** The root of its file system. */
  readonly root: string;
  env: NodeJS.ProcessEnv;
  workdir: string;
  command?: readonly string[];
  healthcheck?: readonly string[];
  stopSignal?: NodeJS.Signals;
}

/**
 * Does what the Dockerfile of a project says, in folders instead of containers, because the machines that check templates may
 * not have Docker. Then runs its command and its health check, and stops it as `docker stop` does. `USER`, `EXPOSE` and the base
 * image have no effect. Returns the size of the image without its base, in MB.
 */
export async function checkDockerfile(project: string, folder: string, env: NodeJS.ProcessEnv): Promise<number> {
  const image = await build(project, folder, env);
  const names = readdirSync(image.workdir);
  const surplus = names.filter((name) => name === ".env" || name.includes(".test."));
  if (surplus.length > 0) throw new Error(`The image has files of the developer: ${surplus.join(", ")}.`);
  const { command = [], healthcheck: [check = "", ...args] = [], stopSignal = "SIGTERM" } = image;
  // As Docker does, without a shell between the signal and the command.
  const program = await launch(`exec ${command.join(" ")}`, image.workdir, image.env);
  let code: number | null;
  try {
    const { port } = new URL(program.origin);
    const here = args.map((arg) => arg.replaceAll("localhost:7860", `localhost:${port}`));
    await execute(check, here, { cwd: image.workdir, env: image.env });
  } finally {
    code = await program.stop(stopSignal);
  }
  if (code !== 0) throw new Error(`After ${stopSignal}, the exit code is ${code}:\n${program.printed()}`);
  return Number((await run("du", ["-sm", image.workdir], folder)).split("\t")[0]);
}

/** Runs the instructions of the Dockerfile, and returns its last image. */
async function build(project: string, folder: string, env: NodeJS.ProcessEnv): Promise<Image> {
  const images = new Map<string, Image>();
  let image: Image | undefined;
  const ignored = readFileSync(join(project, ".dockerignore"), "utf8").split("\n").filter(Boolean);
  const isIgnored = (path: string) => ignored.some((pattern) => matchesGlob(path, pattern));

  for (const [instruction, rest] of instructionsOf(readFileSync(join(project, "Dockerfile"), "utf8"))) {
    if (instruction === "FROM") {
      const [, name = String(images.size)] = / AS (\w+)$/.exec(rest) ?? [];
      const root = join(folder, name);
      mkdirSync(root, { recursive: true });
      image = { root, env: { ...env }, workdir: root };
      images.set(name, image);
      continue;
    }
    if (image === undefined) throw new Error(`${instruction} before FROM.`);
    switch (instruction) {
      case "WORKDIR":
        image.workdir = join(image.root, rest);
        mkdirSync(image.workdir, { recursive: true });
        break;
      case "ENV":
        Object.assign(image.env, Object.fromEntries(rest.split(" ").map((each) => each.split("="))));
        break;
      case "COPY":
        copy(rest, image);
        break;
      case "RUN":
        await run("sh", ["-c", rest], image.workdir, image.env);
        break;
      case "CMD":
        image.command = JSON.parse(rest);
        break;
      case "HEALTHCHECK":
        image.healthcheck = JSON.parse(rest.slice(rest.indexOf("[")));
        break;
      case "STOPSIGNAL":
        image.stopSignal = rest as NodeJS.Signals;
        break;
      case "USER":
      case "EXPOSE":
        break;
      default:
        throw new Error(`This check does not know the instruction ${instruction}.`);
    }
  }
  if (image === undefined) throw new Error("The Dockerfile has no stage.");
  return image;

  function copy(rest: string, { workdir }: Image): void {
    const words = rest.split(" ");
    const from = words[0]?.startsWith("--from=") ? images.get(words.shift()?.slice(7) ?? "") : undefined;
    const target = join(workdir, words.pop() ?? "");
    for (const source of words) {
      const origin = from ? join(from.root, source) : project;
      if (from || source === ".") {
        const filter = (path: string) => from !== undefined || !isIgnored(relative(project, path));
        cpSync(origin, target, { recursive: true, verbatimSymlinks: true, filter });
        continue;
      }
      const found = globSync(source, { cwd: project }).filter((path) => !isIgnored(path));
      if (found.length === 0) throw new Error(`COPY ${rest}: ${source} does not exist.`);
      for (const path of found) cpSync(join(project, path), join(target, basename(path)));
    }
  }
}

/** The instructions with their arguments, without comments. A line that ends in a backslash goes on in the next one. */
function instructionsOf(dockerfile: string): readonly (readonly [instruction: string, rest: string])[] {
  const lines = dockerfile.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.flatMap((line) => {
    const [, instruction, rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return instruction === undefined ? [] : [[instruction, rest] as const];
  });
}
