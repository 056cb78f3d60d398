export type { BotOutputOptions, BotSpeechOptions, SpokenSegment } from "./bot-output.ts";
export type { AboutClient, RTVIClient } from "./client.ts";
export type { ClientMessage, ClientRequest, RTVIEvents, SentText } from "./client-messages.ts";
export { answerHandshake, type HandshakeOptions } from "./handshake.ts";
export { createRTVI, type RTVI, type UserTranscription } from "./rtvi.ts";
export type { RTVILogger, RTVITransport } from "./transport.ts";
