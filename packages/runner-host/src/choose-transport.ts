import { type OpenTransport, RunnerError, type StartBody } from "@pipecat-ts/runner-core";
import type { InstalledTransport } from "./installed-transport.ts";

/** A transport that `/start` can start sessions on. */
export type StartableTransport = OpenTransport & Required<Pick<OpenTransport, "start">>;

/** A transport that can run a bot without a server. */
export type DirectTransport = OpenTransport & Required<Pick<OpenTransport, "direct">>;

/**
 * The transport a start request means: the one it names, else the one that claims it, else the one the runner is
 * restricted to, else the first of `transports`, which are in order of rank. Throws TRANSPORT_UNKNOWN,
 * TRANSPORT_EXCLUDED or TRANSPORT_UNAVAILABLE, each saying what is installed.
 */
export function chooseTransport(
  body: StartBody,
  transports: readonly InstalledTransport[],
  restrictedTo: string | undefined,
): StartableTransport {
  const startable = transports.filter(({ selectable }) => selectable);
  const chosen =
    body.transport === undefined
      ? (startable.find(({ open }) => open?.claims?.(body)) ?? startable[0])
      : findTransport(body.transport, transports);
  if (!chosen) throw noTransport(transports);
  const { name, open, availability, excluded } = chosen;
  if (isStartable(open)) return open;
  if (excluded) {
    throw new RunnerError("TRANSPORT_EXCLUDED", `This server takes callers by "${restrictedTo}" only, not "${name}".`, {
      fix: `Start it without --transport to let callers choose. ${installed(transports)}`,
    });
  }
  const { reason, fix } =
    availability.state === "unavailable" ? availability : { reason: "callers cannot start it", fix: "" };
  throw new RunnerError("TRANSPORT_UNAVAILABLE", `"${name}" cannot be used here: ${sentence(reason)}`, {
    fix: `${fix} ${installed(transports)}`.trim(),
  });
}

/**
 * The transport that runs a bot without a server: the one of this name, else the first of `transports` that can. Throws
 * TRANSPORT_UNKNOWN or TRANSPORT_UNAVAILABLE.
 */
export function findDirect(transports: readonly InstalledTransport[], name?: string): DirectTransport {
  const candidates = name === undefined ? transports : [findTransport(name, transports)];
  const direct = candidates.map(({ open }) => open).find(isDirect);
  if (direct) return direct;
  const who = name === undefined ? "None of the installed transports can" : `"${name}" cannot`;
  throw new RunnerError("TRANSPORT_UNAVAILABLE", `${who} run a bot without a server.`, {
    fix: name === undefined ? "Leave out --direct." : "Leave out --direct, or --transport.",
  });
}

/** The installed transport of this name. Throws TRANSPORT_UNKNOWN, which says what is installed and how to get others. */
export function findTransport(name: string, transports: readonly InstalledTransport[]): InstalledTransport {
  const found = transports.find((transport) => transport.name === name && transport.choosable);
  if (found) return found;
  const suffix = /^[a-z][a-z0-9-]{0,39}$/.test(name) ? name : "<name>";
  throw new RunnerError(
    "TRANSPORT_UNKNOWN",
    `No transport ${JSON.stringify(name.slice(0, 40))} is installed. ${installed(transports)}`,
    {
      fix: `Install its package: npm i @pipecat-ts/runner-${suffix}, or for a phone carrier @pipecat-ts/runner-telephony-${suffix}.`,
    },
  );
}

export function isStartable(open: OpenTransport | undefined): open is StartableTransport {
  return open?.start !== undefined;
}

function isDirect(open: OpenTransport | undefined): open is DirectTransport {
  return open?.direct !== undefined;
}

function noTransport(transports: readonly InstalledTransport[]): RunnerError {
  const broken = transports.flatMap(({ name, availability }) =>
    availability.state === "unavailable" ? [`"${name}": ${sentence(availability.reason)} ${availability.fix}`] : [],
  );
  if (broken.length > 0) {
    return new RunnerError(
      "TRANSPORT_UNAVAILABLE",
      `None of the installed transports can be used. ${broken.join(" ")}`,
    );
  }
  return new RunnerError("TRANSPORT_UNKNOWN", "No transport that callers can choose is installed.", {
    fix: "Install one: npm i @pipecat-ts/runner-<name>.",
  });
}

function installed(transports: readonly InstalledTransport[]): string {
  const names = transports.filter(({ choosable }) => choosable).map(({ name }) => `"${name}"`);
  return names.length === 0 ? "None is installed." : `Installed: ${names.join(", ")}.`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
