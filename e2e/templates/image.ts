import { execFile } from "node:child_process";
import { cpSync, globSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, matchesGlob, relative } from "node:path";
import { promisify } from "node:util";
import { run } from "../../scripts/tarballs.ts";
import { launch } from "./program.ts";

const execute = promisify(execFile);

/** A stage of a Dockerfile, in a folder. */
interface Stage {
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
  const stage = await build(project, folder, env);
  const names = readdirSync(stage.workdir);
  const surplus = names.filter((name) => name === ".env" || name.includes(".test."));
  if (surplus.length > 0) throw new Error(`The image has files of the developer: ${surplus.join(", ")}.`);
  const { command = [], healthcheck: [check = "", ...args] = [], stopSignal = "SIGTERM" } = stage;
  // As Docker does, without a shell between the signal and the command.
  const program = await launch(`exec ${command.join(" ")}`, stage.workdir, stage.env);
  let code: number | null;
  try {
    const { port } = new URL(program.origin);
    const here = args.map((arg) => arg.replaceAll("localhost:7860", `localhost:${port}`));
    await execute(check, here, { cwd: stage.workdir, env: stage.env });
  } finally {
    code = await program.stop(stopSignal);
  }
  if (code !== 0) throw new Error(`After ${stopSignal}, the exit code is ${code}:\n${program.printed()}`);
  return Number((await run("du", ["-sm", stage.workdir], folder)).split("\t")[0]);
}

/** Runs the instructions of the Dockerfile, and returns its last stage. */
async function build(project: string, folder: string, env: NodeJS.ProcessEnv): Promise<Stage> {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  const ignored = readFileSync(join(project, ".dockerignore"), "utf8").split("\n").filter(Boolean);
  const isIgnored = (path: string) => ignored.some((pattern) => matchesGlob(path, pattern));

  for (const [instruction, rest] of instructionsOf(readFileSync(join(project, "Dockerfile"), "utf8"))) {
    if (instruction === "FROM") {
      const [, name = String(stages.size)] = / AS (\w+)$/.exec(rest) ?? [];
      const root = join(folder, name);
      mkdirSync(root, { recursive: true });
      stage = { root, env: { ...env }, workdir: root };
      stages.set(name, stage);
      continue;
    }
    if (stage === undefined) throw new Error(`${instruction} before FROM.`);
    switch (instruction) {
      case "WORKDIR":
        stage.workdir = join(stage.root, rest);
        mkdirSync(stage.workdir, { recursive: true });
        break;
      case "ENV":
        Object.assign(stage.env, Object.fromEntries(rest.split(" ").map((each) => each.split("="))));
        break;
      case "COPY":
        copy(rest, stage);
        break;
      case "RUN":
        await run("sh", ["-c", rest], stage.workdir, stage.env);
        break;
      case "CMD":
        stage.command = JSON.parse(rest);
        break;
      case "HEALTHCHECK":
        stage.healthcheck = JSON.parse(rest.slice(rest.indexOf("[")));
        break;
      case "STOPSIGNAL":
        stage.stopSignal = rest as NodeJS.Signals;
        break;
      case "USER":
      case "EXPOSE":
        break;
      default:
        throw new Error(`This check does not know the instruction ${instruction}.`);
    }
  }
  if (stage === undefined) throw new Error("The Dockerfile has no stage.");
  return stage;

  function copy(rest: string, { workdir }: Stage): void {
    const words = rest.split(" ");
    const from = words[0]?.startsWith("--from=") ? stages.get(words.shift()?.slice(7) ?? "") : undefined;
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
