import { type RTCDtlsTransport, type RTCRtpSender, RtpHeader } from "werift";

/** Puts an Opus packet on the wire, numbered on from the one before. `timestamp` counts at 48,000 Hz. */
export type VoiceSender = (payload: Uint8Array, timestamp: number) => void;

/**
 * Sends in place of the engine's sender, which copies each packet, keeps the last ones to send again (audio never is) and
 * estimates a bandwidth that nobody asks for. Its reports (RFC 3550, section 6.4.1) stay its own, told what was sent.
 */
export function createVoiceSender(sender: RTCRtpSender, dtls: RTCDtlsTransport): VoiceSender {
  const reports = sender as unknown as SenderInside;
  const header = new RtpHeader({ ssrc: sender.ssrc, sequenceNumber: Math.floor(Math.random() * 0x8000) });
  return (payload, timestamp) => {
    if (dtls.state !== "connected" || sender.codec === undefined) return;
    header.payloadType = sender.codec.payloadType;
    header.sequenceNumber = (header.sequenceNumber + 1) & 0xffff;
    header.timestamp = timestamp >>> 0;
    reports.ntpTimestamp = ntpTime();
    reports.rtpTimestamp = header.timestamp;
    reports.octetCount += payload.length;
    reports.packetCount += 1;
    void dtls.sendRtp(Buffer.from(payload.buffer, payload.byteOffset, payload.length), header);
    void sender.runRtcp();
  };
}

/** The time of day in seconds since 1900, 32 bits of them and 32 bits of a fraction: RFC 3550, section 4. */
function ntpTime(): bigint {
  const seconds = (performance.timeOrigin + performance.now()) / 1000 + secondsTo1970;
  const whole = Math.floor(seconds);
  return (BigInt(whole) << 32n) + BigInt(Math.floor((seconds - whole) * 2 ** 32));
}

const secondsTo1970 = 2_208_988_800;

/** The engine's parts that its types hide, as of 0.25.2. */
interface SenderInside {
  ntpTimestamp: bigint;
  rtpTimestamp: number;
  octetCount: number;
  packetCount: number;
}
