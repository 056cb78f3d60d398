import { type CallData, isRunnerError, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { Carrier, CarrierOptions } from "./carrier.ts";
import type { ApiRequest, Rest } from "./rest.ts";

/** What can be done with one call by its carrier's REST API. */
export interface CallControl {
  /** Whether the call can be hung up by it. */
  readonly canHangUp: boolean;
  /** Hangs up, once; resolves, never rejects, when the call is over or will not be. What fails is logged. */
  hangUp(tries?: number): Promise<void>;
  /**
   * Has `number` take the call, once `ready` resolves. Rejects with TRANSFER_UNSUPPORTED, CARRIER_CREDENTIALS_MISSING,
   * PUBLIC_URL_MISSING, CARRIER_REFUSED, and as `ready` does; then the call goes on. Rejects with TRANSFER_UNDER_WAY, and
   * changes nothing, while an earlier one is not refused.
   */
  transfer(number: string, ready: () => Promise<void>): Promise<void>;
  /** Has the carrier dial; absent where its API cannot. Rejects with CARRIER_REFUSED. */
  readonly sendDtmf: ((digits: string) => Promise<void>) | undefined;
  /** Whether somebody else has taken the call, or takes it, should that come about. Never rejects. */
  handedOn(): Promise<boolean>;
}

/** What a call's control is built from. */
export interface CallControlOptions<Options extends CarrierOptions> {
  readonly carrier: Carrier<Options>;
  readonly options: Options;
  readonly call: CallData;
  readonly rest: Rest;
  readonly logger: Logger;
  /** Where the carrier finds the document that connects a call to a number. Throws PUBLIC_URL_MISSING. */
  documentUrl(number: string): URL;
}

export function createCallControl<Options extends CarrierOptions>(settings: CallControlOptions<Options>): CallControl {
  const { carrier, options, call, rest, logger } = settings;
  const { title, api } = carrier;
  const ready = api?.isReady(options) ? api : undefined;
  const dial = ready?.sendDtmf;
  let hangingUp: Promise<void> | undefined;
  let transferring: Promise<boolean> | undefined;

  /** Not even a request that cannot be made throws: whoever ends a call has more to let go of. */
  async function hangUp(tries: number): Promise<void> {
    if (!ready) return;
    try {
      const { status } = await rest.send("hang up", ready.hangUp(call, options), tries);
      logger.debug({ status }, "The carrier was told to hang up.");
    } catch (error) {
      if (isRunnerError(error)) logger.warn([error.message, error.fix].filter(Boolean).join(" "));
      else logger.error({ err: error }, `${title} could not be asked to hang up.`);
    }
  }

  async function send(what: string, request: ApiRequest): Promise<void> {
    await rest.send(what, request, 1);
  }

  return {
    canHangUp: ready !== undefined,
    hangUp(tries = 2) {
      hangingUp ??= hangUp(tries);
      return hangingUp;
    },
    async transfer(number, isTime) {
      if (!api?.transfer) {
        const fix = `Close the transport: ${title} goes on with what its flow says next.`;
        throw new RunnerError("TRANSFER_UNSUPPORTED", `${title} cannot transfer a call under way.`, { fix });
      }
      if (!ready?.transfer) throw credentialsMissing("The call cannot be transferred.", api.fix);
      const request = ready.transfer(call, number, options, () => settings.documentUrl(number));
      if (transferring) {
        throw new RunnerError("TRANSFER_UNDER_WAY", "The call is being handed on already.", {
          fix: "Ignore it, or wait until the first transferTo() rejects.",
        });
      }
      const sending = isTime().then(() => send("transfer the call", request));
      transferring = sending.then(
        () => true,
        () => false,
      );
      if (!(await transferring)) transferring = undefined;
      await sending;
    },
    sendDtmf: dial && ((digits) => send("dial", dial(call, digits, options))),
    handedOn: () => transferring ?? Promise.resolve(false),
  };
}

/** The error of what needs the carrier's REST API, without credentials for it. */
export function credentialsMissing(what: string, fix: string): RunnerError {
  return new RunnerError("CARRIER_CREDENTIALS_MISSING", `${what} There are no credentials for it.`, { fix });
}
