/** What a browser needs to find its way: programs, folders, languages, fonts, proxies. */
const needed =
  /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|XDG_\w+|FONTCONFIG_\w+|(http|https|ftp|all|no)_proxy)$/i;

/**
 * What a browser is given of this process's environment: nothing but what it needs. The rest holds secrets, and the browser
 * runs code that is fetched from Daily.
 */
export function browserEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => needed.test(name)));
}
