import { RunnerError } from "@pipecat-ts/runner-core";
import type { CarrierOptions } from "./carrier.ts";

/** The field `dial` of a start request. */
export interface Dial {
  /** The number to call, in E.164: `+15550100`. Never log it. */
  readonly to: string;
  /** The number that the called person sees, in E.164. It must belong to the account. Never log it. */
  readonly from: string;
  /**
   * Whether the carrier detects answering machines. `true`: the call ends with `machine`. `"report"`: the bot gets the event
   * `machineAnswered`, and the call goes on.
   */
  readonly machineDetection: boolean | "report";
}

/** ITU-T E.164: `+`, a country code, and at most 15 digits in total. The shortest numbers have 7. */
const e164 = /^\+[1-9][0-9]{6,14}$/;
const fields = ["to", "from", "machineDetection"];

/**
 * Reads the field `dial` of a start request. Numbers are not normalized: the carrier gets exactly the text that was checked. Errors
 * do not quote what the caller sent, because they are logged.
 *
 * Throws DIAL_DISABLED without allowed prefixes, BODY_INVALID for another shape, PHONE_NUMBER_INVALID for a number that is not in
 * E.164, and DIAL_NUMBER_REFUSED for one without an allowed prefix.
 */
export function parseDial(value: unknown, { allowDial }: Pick<CarrierOptions, "allowDial">): Dial {
  if (allowDial.length === 0) {
    throw new RunnerError("DIAL_DISABLED", "Outbound calls are disabled on this runner.", {
      fix: "Start it with the prefixes of the numbers that it may call, and with an API key: --allow-dial +1555 --api-key <key>.",
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw shapeInvalid("is not an object");
  const unknown = Object.keys(value).some((name) => !fields.includes(name));
  if (unknown) throw shapeInvalid("has an unknown field");
  const { to, from, machineDetection = false } = value as Readonly<Record<string, unknown>>;
  if (!isDetection(machineDetection))
    throw shapeInvalid('has a "machineDetection" that is not true, false or "report"');
  const dial = { to: readNumber("to", to), from: readNumber("from", from), machineDetection };
  if (!allowDial.some((prefix) => dial.to.startsWith(prefix))) {
    throw new RunnerError("DIAL_NUMBER_REFUSED", "This runner may not call this number.", {
      fix: "Add the start of the number to --allow-dial, if the runner may call it.",
    });
  }
  return dial;
}

function isDetection(value: unknown): value is Dial["machineDetection"] {
  return typeof value === "boolean" || value === "report";
}

function readNumber(field: string, value: unknown): string {
  if (typeof value === "string" && e164.test(value)) return value;
  throw new RunnerError("PHONE_NUMBER_INVALID", `The field "${field}" of "dial" is not a phone number in E.164.`, {
    fix: "Use +, the country code and the number, 7 to 15 digits without spaces: +15550100.",
  });
}

function shapeInvalid(what: string): RunnerError {
  return new RunnerError("BODY_INVALID", `The field "dial" ${what}.`, {
    fix: 'Use {"to": "+15550100", "from": "+15550199"}, and "machineDetection": true to end calls that a machine answers, or "report" to tell the bot.',
  });
}

/** Throws OPTION_INVALID for a runner that would call numbers for everyone who reaches it. */
export function checkDialOptions(
  { allowDial }: Pick<CarrierOptions, "allowDial">,
  { requireKey }: { readonly requireKey: boolean },
): void {
  if (allowDial.length === 0 || requireKey) return;
  throw new RunnerError(
    "OPTION_INVALID",
    "--allow-dial: the runner has no API key, so anyone could call at your cost.",
    {
      fix: "Set PIPECAT_RUNNER_API_KEY or --api-key, or omit --allow-dial and PIPECAT_ALLOW_DIAL.",
    },
  );
}
