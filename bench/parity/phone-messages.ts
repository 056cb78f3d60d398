export const numbers = { from: "+15550001111", to: "+15550002222" };
const id = "00000000-0000-4000-8000-000000000000";

const calls: Readonly<Record<string, (parameters?: object) => readonly object[]>> = {
  twilio: (parameters) => [
    { event: "connected", protocol: "Call", version: "1.0.0" },
    {
      event: "start",
      streamSid: `MZ${"0".repeat(32)}`,
      start: {
        streamSid: `MZ${"0".repeat(32)}`,
        callSid: `CA${"0".repeat(32)}`,
        accountSid: `AC${"0".repeat(32)}`,
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
        customParameters: parameters,
      },
    },
  ],
  telnyx: () => [
    { event: "connected", version: "1.0.0" },
    {
      event: "start",
      sequence_number: "1",
      stream_id: id,
      start: {
        ...numbers,
        call_control_id: "v3:0123456789abcdef",
        media_format: { encoding: "PCMU", sample_rate: 8_000, channels: 1 },
      },
    },
  ],
  plivo: () => [
    {
      event: "start",
      sequenceNumber: 1,
      start: {
        callId: id,
        streamId: id,
        accountId: "a1",
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000 },
      },
      extra_headers: "",
    },
    { event: "media", streamId: id, media: { track: "inbound", timestamp: "1", chunk: 1, payload: "//8=" } },
  ],
  exotel: (parameters) => [
    { event: "connected" },
    {
      event: "start",
      stream_sid: "s1",
      start: {
        ...numbers,
        stream_sid: "s1",
        call_sid: "0".repeat(32),
        account_sid: "a1",
        custom_parameters: parameters,
        media_format: { encoding: "base64", sample_rate: "8000" },
      },
    },
  ],
};

/** The first messages of a phone call, as the carrier sends them. `parameters`: Twilio's and Exotel's custom parameters. */
export function callMessages(carrier: string, parameters?: object): readonly string[] {
  const messages = calls[carrier]?.(parameters) ?? [];
  return messages.map((message) => JSON.stringify(message));
}
