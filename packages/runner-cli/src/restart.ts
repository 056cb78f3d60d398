/** Whether this process can be replaced by a new one. */
export const canRestart: boolean = process.platform !== "win32" && typeof process.execve === "function";

/** The arguments of a program for its restart: without `--open`, because the browser has the page open. */
export function restartArguments(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return argv.filter((argument, index) => argument !== "--open" || (end >= 0 && index > end));
}

/** Replaces this process by the same program with the same arguments and the environment `env`. It keeps its process id. */
export function restartProgram(env: NodeJS.ProcessEnv): never {
  const { execPath, execArgv, argv, stdin } = process;
  if (stdin.isTTY) stdin.setRawMode(false);
  return process.execve?.(execPath, [execPath, ...execArgv, ...restartArguments(argv.slice(1))], env) as never;
}
