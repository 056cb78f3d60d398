import { type RTCDtlsTransport, type RTCRtpSender, RtpHeader } from "werift";

/** Sends one Opus packet with the next sequence number. `timestamp` counts at 48,000 Hz. */
export type AudioSender = (payload: Uint8Array, timestamp: number) => void;

/**
 * Private members: `RTCRtpSender.ntpTimestamp`, `rtpTimestamp`, `octetCount`, `packetCount`.
 *
 * Sends audio past `RTCRtpSender.sendRtp`, which copies each packet, keeps the last packets for retransmission (never used for
 * audio) and estimates a bandwidth that is not used. werift still sends the RTCP sender reports (RFC 3550, section 6.4.1), so
 * its counters must be updated: without this patch, the reports say that nothing was sent at time 0.
 *
 * Upstream issue: "Let RTCRtpSender skip the retransmission cache and bandwidth estimation for audio".
 */
export function createAudioSender(sender: RTCRtpSender, dtls: RTCDtlsTransport): AudioSender {
  const internals = sender as unknown as SenderInternals;
  const header = new RtpHeader({ ssrc: sender.ssrc, sequenceNumber: Math.floor(Math.random() * 0x8000) });
  return (payload, timestamp) => {
    if (dtls.state !== "connected" || sender.codec === undefined) return;
    header.payloadType = sender.codec.payloadType;
    header.sequenceNumber = (header.sequenceNumber + 1) & 0xffff;
    header.timestamp = timestamp >>> 0;
    internals.ntpTimestamp = ntpTime();
    internals.rtpTimestamp = header.timestamp;
    internals.octetCount += payload.length;
    internals.packetCount += 1;
    void dtls.sendRtp(Buffer.from(payload.buffer, payload.byteOffset, payload.length), header);
    void sender.runRtcp();
  };
}

/** Seconds from 1900, the start of NTP time, to 1970. */
const secondsTo1970 = 2_208_988_800;

/** The current NTP time: 32 bits of seconds since 1900 and 32 bits of fraction (RFC 3550, section 4). */
function ntpTime(): bigint {
  const seconds = (performance.timeOrigin + performance.now()) / 1000 + secondsTo1970;
  const whole = Math.floor(seconds);
  return (BigInt(whole) << 32n) + BigInt(Math.floor((seconds - whole) * 2 ** 32));
}

interface SenderInternals {
  ntpTimestamp: bigint;
  rtpTimestamp: number;
  octetCount: number;
  packetCount: number;
}
