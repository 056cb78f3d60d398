import type { RunnerArguments, SessionArguments } from "./arguments.ts";
import { RunnerError } from "./errors.ts";
import type { Connect } from "./session.ts";
import type { Transport, TransportParams } from "./transport.ts";
import type { CheckedFactories, TransportFactories } from "./transport-factories.ts";

/** The transports that can do more than `Transport` says, by name: filled by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface TransportsByTransport {}

/** The `Transport` that the transport called `Name` gives its bots; for several names, what all of them give. */
export type TransportOf<Name extends string> = Shared<
  Name extends keyof TransportsByTransport ? TransportsByTransport[Name] : Transport
>;

/** A union becomes `Transport`: its members' `on` differ in their events, so that TypeScript would refuse every call. */
type Shared<All, Each = All> = true extends (
  Each extends unknown
    ? Same<Each, All> extends true
      ? false
      : true
    : never
)
  ? Transport
  : All;

/** Assignable both ways is not enough: a transport with more events is, to one with fewer. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/**
 * Where `args` carries the session's `Connect`: a registered symbol, so that it is found by another copy of this package
 * and survives `{...args}`.
 */
export const connectKey: unique symbol = Symbol.for("pipecat.connect") as never;

/**
 * Connects the bot to its caller over whichever transport the caller came in by, with that transport's params.
 *
 * Rejects with TRANSPORT_PARAMS_MISSING when `factories` has no entry for `args.transport`, TRANSPORT_ALREADY_CREATED
 * when called twice for one session, and TRANSPORT_NOT_CONNECTED when `args` did not come from a runner.
 */
export async function createTransport<Args extends RunnerArguments, Factories extends TransportFactories>(
  args: Args,
  factories: Factories & CheckedFactories<Factories>,
): Promise<TransportOf<Args["transport"]>> {
  const connect = connectOf(args);
  const name: string = args.transport;
  const byName = factories as {
    readonly [name: string]: (() => TransportParams | Promise<TransportParams>) | undefined;
  };
  const factory = Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (!factory) throw paramsMissing(name, Object.keys(byName));
  return (await connect(await factory())) as TransportOf<Args["transport"]>;
}

function paramsMissing(name: string, present: readonly string[]): RunnerError {
  const given = present.map((key) => `"${key}"`).join(", ") || "no transport";
  return new RunnerError(
    "TRANSPORT_PARAMS_MISSING",
    `The caller came in by "${name}", and createTransport was given params for ${given}.`,
    { fix: `Add "${name}: () => ({})" to createTransport's second argument.` },
  );
}

/** The `Connect` that `args` carries; throws TRANSPORT_NOT_CONNECTED when there is none. */
export function connectOf(args: SessionArguments): Connect {
  const connect = (args as { readonly [connectKey]?: Connect })[connectKey];
  if (typeof connect === "function") return connect;
  throw new RunnerError("TRANSPORT_NOT_CONNECTED", "These arguments carry no caller: they were not made by a runner.", {
    fix: "Pass on the args your bot was called with, or a spread copy of them.",
  });
}
