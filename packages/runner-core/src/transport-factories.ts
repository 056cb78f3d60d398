import type { TransportName } from "./arguments.ts";
import type { TransportParams } from "./transport.ts";

/** What a bot may choose about each transport, by transport name: filled by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: an open registry, filled by declaration merging
export interface TransportParamsByTransport {}

/** The params of the transport called `Name`. */
export type ParamsOf<Name extends string> = Name extends keyof TransportParamsByTransport
  ? TransportParamsByTransport[Name]
  : TransportParams;

/** One params factory for each transport the bot is willing to run on. */
export type TransportFactories = [TransportName] extends [never]
  ? { readonly [name: string]: () => TransportParams | Promise<TransportParams> }
  : { readonly [Name in TransportName]?: () => ParamsOf<Name> | Promise<ParamsOf<Name>> };

/**
 * Refuses factories that return a param their transport does not have: TypeScript alone lets the result of an arrow
 * function have further keys, so that a misspelt param would be ignored. What it refuses it turns into the complaint.
 */
export type CheckedFactories<Factories> = [TransportName] extends [never]
  ? unknown
  : {
      readonly [Name in keyof Factories]: Name extends TransportName
        ? Complaint<Exclude<ReturnedKeys<Factories[Name]>, keyof ParamsOf<Name>>, `is no param of ${Name}`>
        : Complaint<Name & string, "is no transport that this program imports">;
    };

/** Any key of what a factory returns; `never` for `any`, about which nothing is known. */
type ReturnedKeys<Factory> = Factory extends () => infer Returned ? KnownKeys<Awaited<Returned>> : never;

type KnownKeys<Params> = Params extends unknown ? (string extends keyof Params ? never : keyof Params & string) : never;

type Complaint<Keys extends string, Text extends string> = [Keys] extends [never] ? unknown : `${Keys} ${Text}`;
