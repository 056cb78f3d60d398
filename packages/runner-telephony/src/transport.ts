import { type Logger, RunnerError, type Transport } from "@pipecat-ts/runner-core";
import { createMediaTransport, type MediaTransport, type Pacer } from "@pipecat-ts/runner-media";
import type { PhoneParams } from "./arguments.ts";
import { type CallControl, credentialsMissing } from "./call-control.ts";
import type { CallCodec } from "./codec.ts";
import { dtmfTones } from "./dtmf-tones.ts";
import type { Line } from "./line.ts";
import { isNumber } from "./phone-number.ts";
import { createPhonePort } from "./port.ts";

/** What a bot hears and speaks through on a phone. Its event `dtmf` tells of the keys that the caller presses. */
export interface PhoneTransport extends Transport {
  /**
   * Hangs up by the carrier when all that was said is heard, also where `autoHangUp` is false; resolves when the call is
   * over. Rejects with CARRIER_CREDENTIALS_MISSING where the carrier's API is needed and has none; then the call goes on.
   */
  hangUp(): Promise<void>;
  /**
   * Has somebody else take the call when all that was said is heard; resolves when the carrier has agreed, and ends the
   * session then. `number` is in E.164, `+15550100`, or a SIP URI. Rejects with PHONE_NUMBER_INVALID, CALL_ENDED,
   * TRANSFER_UNSUPPORTED, CARRIER_CREDENTIALS_MISSING, PUBLIC_URL_MISSING and CARRIER_REFUSED; then the call goes on. With
   * TRANSFER_UNDER_WAY where an earlier one is not refused: that one counts.
   */
  transferTo(number: string): Promise<void>;
  /**
   * Dials `0-9 * # A-D`, `w` for half a second's wait, when all that was said is heard: by the carrier where it can, else as
   * tones, which an interruption cuts off. Rejects with DTMF_INVALID, DTMF_INTERRUPTED, CALL_ENDED and CARRIER_REFUSED.
   */
  sendDtmf(digits: string): Promise<void>;
}

/** What a phone transport is built from. */
export interface PhoneTransportOptions {
  readonly name: string;
  readonly title: string;
  readonly params: PhoneParams;
  readonly line: Line;
  readonly codec: CallCodec;
  readonly control: CallControl;
  /** What to do for credentials; absent where the carrier has no API to hang up by. */
  readonly credentialsFix: string | undefined;
  readonly pacer: Pacer;
  readonly logger: Logger;
}

export function createPhoneTransport(options: PhoneTransportOptions): PhoneTransport {
  const { name, title, params, line, codec, control, pacer, logger } = options;
  line.autoHangUp = params.autoHangUp ?? true;
  const media: MediaTransport = createMediaTransport({
    name,
    params,
    pacer,
    logger,
    open(caller) {
      line.attach(caller);
      return createPhonePort(line, codec);
    },
  });
  let isClosed = false;
  void media.closed.then(() => {
    isClosed = true;
  });

  async function heardOut(): Promise<void> {
    await media.heardOut();
    if (isClosed || line.gone) throw new RunnerError("CALL_ENDED", "It was not done: the call is over.");
  }

  return Object.assign(media, {
    async hangUp() {
      if (!control.canHangUp && options.credentialsFix !== undefined) {
        throw credentialsMissing("The call cannot be hung up.", options.credentialsFix);
      }
      line.autoHangUp = true;
      await media.close();
    },
    async transferTo(number: string) {
      requireNumber(number);
      await control.transfer(number, heardOut);
      logger.info(`${title} has taken the call on.`);
      void media.close();
    },
    async sendDtmf(digits: string) {
      requireDigits(digits);
      if (codec.encodeDtmf || control.sendDtmf) await heardOut();
      if (codec.encodeDtmf) line.send(codec.encodeDtmf(digits));
      else if (control.sendDtmf) await control.sendDtmf(digits);
      else await playTones(media, digits);
    },
  });
}

async function playTones(media: MediaTransport, digits: string): Promise<void> {
  const { interrupted } = await media.play(once(dtmfTones(digits))).done;
  if (!interrupted) return;
  throw new RunnerError("DTMF_INTERRUPTED", "Not all was dialled: the bot was interrupted, or the call is over.");
}

async function* once<Value>(value: Value): AsyncGenerator<Value> {
  yield value;
}

function requireNumber(number: string): void {
  // What was given is not repeated: it is somebody's number.
  if (isNumber(number)) return;
  throw new RunnerError("PHONE_NUMBER_INVALID", "That is no number to transfer a call to.", {
    fix: 'Give it like "+15550100", without spaces, or as a SIP URI.',
  });
}

function requireDigits(digits: string): void {
  if (/^[0-9A-Dw*#]{1,64}$/.test(digits)) return;
  throw new RunnerError("DTMF_INVALID", "These are no keys that can be dialled.", {
    fix: "Give 1 to 64 of 0-9, *, #, A-D, and w for a wait.",
  });
}
