/** Whether a Node version is one of those `engines` names: `^22.18 || ^24.11 || >=26`, without patch numbers. */
export function isSupported(version: string, engines: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return engines.split("||").some((range) => {
    const [, operator, wantedMajor, wantedMinor = "0"] = range.trim().match(/^(\^|>=)(\d+)(?:\.(\d+))?$/) ?? [];
    if (major === Number(wantedMajor)) return minor >= Number(wantedMinor);
    return operator === ">=" && major > Number(wantedMajor);
  });
}
