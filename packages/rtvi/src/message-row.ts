import type { Static, TNull, TOptional, TSchema, TUnion } from "typebox";
import * as Type from "typebox";
import type { ClientRequest, RTVIEvents } from "./client-events.ts";
import { problemWith } from "./messages.ts";

/** The answers a bot can give to a message. */
export interface Answers extends ClientRequest {
  respond(type: string, data: unknown): Promise<void>;
}

/** One type of client message. */
export interface ClientMessageRow {
  /** The event that the message becomes. */
  readonly event: keyof RTVIEvents;
  /** Whether each message replaces the one before it. */
  readonly latestOnly: boolean;
  /** Describes what is wrong with `data` and names the field. Undefined if it is valid. */
  problem(data: unknown): string | undefined;
  /** Returns the values to emit, one event each. `data` must be valid. */
  read(data: unknown, answers: Answers): readonly RTVIEvents[keyof RTVIEvents][];
}

/** `check` finds problems that the schema cannot express. `fix` follows every problem, as a sentence. */
export function row<E extends keyof RTVIEvents, S extends TSchema>(options: {
  readonly event: E;
  readonly latestOnly?: boolean;
  readonly schema: S;
  readonly fix?: string;
  check?(data: Static<S>): string | false | undefined;
  read(data: Static<S>, answers: Answers): readonly RTVIEvents[E][];
}): ClientMessageRow {
  const { event, latestOnly = false, schema, fix, check, read } = options;
  return {
    event,
    latestOnly,
    problem(data) {
      const problem = problemWith(schema, data, "data") ?? check?.(data as Static<S>);
      return problem ? [problem, fix].filter(Boolean).join(". ") : undefined;
    },
    read: (data, answers) => read(data as Static<S>, answers),
  };
}

/** A field that may be missing or null. */
export function optional<S extends TSchema>(schema: S): TOptional<TUnion<[S, TNull]>> {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}
