import {
  type Call,
  type CallerSocket,
  type CloseReason,
  type Logger,
  type MediaPort,
  type Pacer,
  type PortMedia,
  RunnerError,
  type SocketHandlers,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { type CallControl, isPhoneNumber } from "./api.ts";
import type { PhoneMethods, PhoneParams } from "./arguments.ts";
import type { CallCodec } from "./codec.ts";
import { dtmfTones } from "./dtmf-tones.ts";
import { parseObject } from "./json.ts";
import { createReorderBuffer } from "./reorder-buffer.ts";

/** The media stream of one call, from its start message on. */
export interface MediaStream extends Required<SocketHandlers> {
  /** Puts the bot's audio on the stream. */
  connect(params: PhoneParams): MediaPort | Promise<MediaPort>;
  /**
   * Hangs up, unless the carrier has ended, transferred or continued the call, and closes the socket. Only the first call has an effect.
   * Resolves, and never rejects, when the socket is closed.
   */
  end(reason: CloseReason, deadline: AbortSignal): Promise<void>;
}

export interface MediaStreamOptions {
  readonly socket: CallerSocket;
  readonly codec: CallCodec;
  readonly control: CallControl;
  /** The carrier's name in sentences. */
  readonly title: string;
  /** Whether the carrier ends a call by closing the socket, without a `stop` message. */
  readonly endsSilently: boolean;
  /** Whether the carrier has begun the next media stream of the call, with another session. */
  isReplaced(): boolean;
  /** From now on, the end of this stream does not end the call. */
  released(): void;
  readonly pacer: Pacer;
  readonly logger: Logger;
}

/** A mark costs as much as a frame. All carriers buffer more than this, so that audio continues between two marks. */
const markEveryMs = 200;
/** How long the end of a call waits for the carrier's API, in ms. */
const hangUpTimeoutMs = 1_200;
/** Carriers report any other close code as a failure of the call: RFC 6455 section 7.4.1. */
const normalClosure = 1000;
const noStatusReceived = 1005;

export function createMediaStream(call: Call, options: MediaStreamOptions): MediaStream {
  const { socket, codec, control, title, endsSilently, pacer, logger } = options;
  const buffer = createReorderBuffer({
    pacer,
    sampleRate: codec.callerSampleRate,
    output: (frame) => call.audio(frame),
  });
  let skippedMessages = 0;
  let carrierErrors = 0;
  /** Whether the carrier sends no more messages. */
  let isOver = false;
  /** Whether the carrier ended the call. A socket that breaks does not end it. */
  let endedByCarrier = false;
  /** Whether the call must end, also one that waits for its transfer. */
  let mustEnd = false;
  let autoHangUp = true;
  let ending: Promise<void> | undefined;

  function message(data: Buffer, isBinary: boolean): void {
    if (isOver) return;
    const parsed = isBinary ? undefined : parseObject(data.toString("utf8"));
    const event = isBinary ? codec.decodeBinary?.(data) : parsed && codec.decode(parsed);
    if (!event) {
      skippedMessages += 1;
      if (skippedMessages === 1) logger.warn({ isBinary, isJson: parsed !== undefined }, "unknown message skipped");
    } else if (event.kind === "audio" || event.kind === "packet") buffer.push(event);
    else if (event.kind === "played") call.played(event.mark);
    else if (event.kind === "dtmf") call.dtmf(event.digit);
    else if (event.kind === "error") reportError(event.title);
    else if (event.kind === "stop") {
      endedByCarrier = true;
      stop();
      call.left();
      void socket.close("caller-left", undefined, normalClosure);
    }
  }

  function reportError(error: string): void {
    carrierErrors += 1;
    if (carrierErrors === 1) logger.warn({ error }, "carrier reported an error");
    call.error(new RunnerError("CARRIER_REFUSED", `${title} reported "${error}".`));
  }

  function stop(): void {
    if (isOver) return;
    isOver = true;
    buffer.end();
    const { late: lateAudio, invalid: invalidAudio } = buffer.counters;
    const counters = { skippedMessages, carrierErrors, lateAudio, invalidAudio };
    if (Object.values(counters).some((count) => count > 0)) logger.info(counters, "messages not used");
  }

  /** Hangs up, unless the carrier has ended, transferred or continued the call. Never rejects. */
  async function hangUp(): Promise<void> {
    if (endedByCarrier || options.isReplaced()) return;
    const hangingUp = control.transferred().then((transferred) => (transferred ? undefined : control.hangUp()));
    await withTimeout(hangingUp, hangUpTimeoutMs);
  }

  async function end(reason: CloseReason, deadline: AbortSignal): Promise<void> {
    mustEnd = reason === "machine" || reason === "ended-by-request";
    // Machine detection was requested to end such calls.
    if (autoHangUp || reason === "machine") await hangUp();
    if (endedByCarrier || options.isReplaced()) options.released();
    await socket.close(reason, deadline, normalClosure);
    stop();
  }

  function endOnce(reason: CloseReason, deadline: AbortSignal): Promise<void> {
    ending ??= end(reason, deadline);
    return ending;
  }

  function phoneMethods({ transport, played }: PortMedia): PhoneMethods {
    async function ready(): Promise<void> {
      if (ending) throw callEnded();
      await played();
      if (isOver || mustEnd) throw callEnded();
    }

    return {
      async hangUp() {
        control.requireHangUp();
        autoHangUp = true;
        await transport.close();
        // The media stream may have ended before, without a hang-up.
        await hangUp();
      },
      async transferTo(number, { whisper } = {}) {
        requireNumber(number);
        await control.transfer(number, whisper, ready);
        options.released();
        logger.info("call transferred");
        void transport.close();
      },
      async sendDtmf(digits) {
        requireDigits(digits);
        if (codec.encodeDtmf || control.sendDtmf) await ready();
        if (codec.encodeDtmf) return socket.send(codec.encodeDtmf(digits));
        if (control.sendDtmf) return await control.sendDtmf(digits);
        const { interrupted } = await transport.play(ReadableStream.from([dtmfTones(digits)])).done;
        if (!interrupted) return;
        throw new RunnerError(
          "DTMF_INTERRUPTED",
          "Not all tones were played: the bot was interrupted, or the call ended.",
        );
      },
    };
  }

  function createPort(): MediaPort {
    const { encodeMark } = codec;
    return {
      sampleRates: [codec.botSampleRate],
      frameMs: codec.frameMs ?? 40,
      sendAheadMs: codec.sendAheadMs ?? 160,
      markEveryMs,
      send: ({ samples }) => socket.send(codec.encodeAudio(samples)),
      clear: () => socket.send(codec.encodeClear()),
      ...(encodeMark && { mark: (mark: string) => socket.send(encodeMark(mark)) }),
      bufferedBytes: () => socket.bufferedBytes,
      extend: (media) => ({ ...phoneMethods(media) }),
      close: endOnce,
    };
  }

  return {
    message,
    closed(code) {
      // Any other code may come from a proxy or the network: the call may continue and be billed.
      endedByCarrier ||= endsSilently && (code === normalClosure || code === noStatusReceived);
      stop();
    },
    connect(params) {
      autoHangUp = params.autoHangUp ?? true;
      if (!autoHangUp) options.released();
      return codec.ready?.then(createPort) ?? createPort();
    },
    end: endOnce,
  };
}

function callEnded(): RunnerError {
  return new RunnerError("CALL_ENDED", "The call has ended.");
}

/** The error does not repeat the number, which is private. */
function requireNumber(number: string): void {
  if (isPhoneNumber(number)) return;
  throw new RunnerError("PHONE_NUMBER_INVALID", "The value is not a number to transfer a call to.", {
    fix: 'Use E.164 without spaces, like "+15550100", or a SIP URI.',
  });
}

function requireDigits(digits: string): void {
  if (/^[0-9A-Dw*#]{1,64}$/.test(digits)) return;
  throw new RunnerError("DTMF_INVALID", "The value is not a sequence of DTMF digits.", {
    fix: "Use 1 to 64 characters of 0-9, *, #, A-D, and w for a pause.",
  });
}
