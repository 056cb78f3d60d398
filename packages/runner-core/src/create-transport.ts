import type { RunnerArguments, SessionArguments, TransportName } from "./arguments.ts";
import { RunnerError } from "./errors.ts";
import type { Transport, TransportParams } from "./transport.ts";

/** The params of each transport, by transport name: filled by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface TransportParamsByTransport {}

/** The transports with more methods or events than `Transport`, by transport name: filled by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface TransportsByTransport {}

/** The params of the transport `Name`. */
export type ParamsOf<Name extends string> = Name extends keyof TransportParamsByTransport
  ? TransportParamsByTransport[Name]
  : TransportParams;

/** One params factory for each transport that the bot supports. */
export type TransportFactories = [TransportName] extends [never]
  ? { readonly [name: string]: () => TransportParams | Promise<TransportParams> }
  : { readonly [Name in TransportName]?: () => ParamsOf<Name> | Promise<ParamsOf<Name>> };

/** Accepts unknown params, so that `CheckedFactories` can name them: TypeScript alone rejects an object without any known one. */
type LooseFactories = [TransportName] extends [never]
  ? TransportFactories
  : { readonly [Name in TransportName]?: () => Loose<ParamsOf<Name>> | Promise<Loose<ParamsOf<Name>>> };

type Loose<Params> = Params | (Params & { readonly [unknownParam: string]: unknown });

/**
 * Rejects factories that return a param which their transport does not have, and names it. TypeScript alone accepts
 * unknown keys in the result of an arrow function, and would ignore a misspelled param.
 */
export type CheckedFactories<Factories> = [TransportName] extends [never]
  ? unknown
  : {
      readonly [Name in keyof Factories]: Name extends TransportName
        ? Complaint<Exclude<ReturnedKeys<Factories[Name]>, keyof ParamsOf<Name>>, `is not a param of ${Name}`>
        : Complaint<Name & string, "is not a transport that this program imports">;
    };

/** The keys of a factory's result; `never` for `any`. */
type ReturnedKeys<Factory> = Factory extends () => infer Returned ? KnownKeys<Awaited<Returned>> : never;

type KnownKeys<Params> = Params extends unknown ? (string extends keyof Params ? never : keyof Params & string) : never;

type Complaint<Keys extends string, Text extends string> = [Keys] extends [never] ? unknown : `${Keys} ${Text}`;

/** The `Transport` that the transport `Name` gives its bots; for several names, what all of them have in common. */
export type TransportOf<Name extends string> = Shared<
  Name extends keyof TransportsByTransport ? TransportsByTransport[Name] : Transport
>;

/** A union becomes `Transport`: its members' `on` differ in their events, so that TypeScript would reject every call. */
type Shared<All, Each = All> = true extends (
  Each extends unknown
    ? Same<Each, All> extends true
      ? false
      : true
    : never
)
  ? Transport
  : All;

/** Mutual assignability is not enough: a transport with more events is assignable to one with fewer. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Builds the transport of one session. At most once per session. */
export type Connect = (params: TransportParams) => Promise<Transport>;

/**
 * Where `args` carries the session's `Connect`. A registered symbol, so that another copy of this package finds it and
 * `{...args}` keeps it.
 */
export const connectKey: unique symbol = Symbol.for("pipecat.connect") as never;

/**
 * Connects the bot to its caller, over the transport that the caller uses and with the params for that transport.
 *
 * Rejects with TRANSPORT_PARAMS_MISSING when `factories` lacks an entry for `args.transport`, TRANSPORT_ALREADY_CREATED when
 * called twice for one session, and TRANSPORT_NOT_CONNECTED when `args` did not come from a runner or the session ended.
 */
export async function createTransport<Args extends RunnerArguments, Factories extends LooseFactories>(
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
    `The caller uses the transport "${name}", but createTransport has params for ${given}.`,
    { fix: `Add "${name}: () => ({})" to the second argument of createTransport.` },
  );
}

function connectOf(args: SessionArguments): Connect {
  const connect = (args as { readonly [connectKey]?: Connect })[connectKey];
  if (typeof connect === "function") return connect;
  throw new RunnerError("TRANSPORT_NOT_CONNECTED", "These arguments do not come from a runner.", {
    fix: "Pass the args that your bot received, or a spread copy of them.",
  });
}
