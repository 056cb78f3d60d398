/** Whether this process can be replaced by a new one. */
export const canRestart: boolean = process.platform !== "win32" && typeof process.execve === "function";

/** Replaces this process by the same program with the same arguments and the environment `env`. It keeps its process id. */
export function restartProgram(env: NodeJS.ProcessEnv): never {
  const { execPath, execArgv, argv, stdin } = process;
  if (stdin.isTTY) stdin.setRawMode(false);
  return process.execve?.(execPath, [execPath, ...execArgv, ...argv.slice(1)], env) as never;
}
