import { createHmac } from "node:crypto";
import { chromium } from "../../packages/runner-webrtc/src/peer/test/offers.ts";
import type { ParityRequest } from "./outcome.ts";
import { callMessages } from "./phone-messages.ts";

/** What each runner does, and a part of the row of `docs/parity.md` that says so. */
export type Difference = readonly [python: string, here: string, row: string];

/** A request, and how the two responses differ if they do. */
export interface Comparison extends ParityRequest {
  readonly differs?: Difference;
  /**
   * The request starts a bot, and these of its arguments differ, beside those that differ for every bot. Names are in camelCase.
   */
  readonly bot?: Readonly<Record<string, Difference>>;
}

/** Two runners with the same flags, and the requests to both. */
export interface Setup {
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly requests: readonly Comparison[];
}

export const offer = { type: "offer", sdp: chromium };
const candidate = { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdp_mid: "0", sdp_mline_index: 0 };
const ready = {
  label: "rtvi-ai",
  type: "client-ready",
  id: "1",
  data: { version: "2.2.0", about: { library: "parity" } },
};
const twilioCall = callMessages("twilio", {});
const exotelCall = callMessages("exotel");
export const dialin = { From: "+15550001111", To: "+15550002222", callId: "c1", callDomain: "d1" };
/** A webhook of WhatsApp, signed with the secret below. */
const signed = (webhook: object): Pick<Comparison, "text" | "headers"> => {
  const text = JSON.stringify(webhook);
  const signature = createHmac("sha256", "secret").update(text).digest("hex");
  return { text, headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${signature}` } };
};
const page = { origin: "http://localhost:3000" };
const foreign = { origin: "https://a.example" };

/** What `bot-ready` has in Pipecat's runner, and in ours. */
const botReady = [
  "101 bot-ready {about: {library, library_version}, capabilities: {audio_in: boolean, audio_out: boolean, metrics: boolean, screen_in: boolean, video_in: boolean, video_out: boolean}, version}",
  "101 bot-ready {about: {library, library_version}, capabilities: {audio_in: boolean, audio_out: boolean, screen_in: boolean, video_in: boolean, video_out: boolean}, version}",
] as const;
const sessionPath = "`GET\\|POST\\|PUT\\|PATCH\\|DELETE /sessions/{id}/{path}`";
const rejected = "a rejected WebSocket gets 403";

/** Requests about the start of a session that make sense for every transport that `-t` selects. */
const starts = (...own: Comparison[]): Comparison[] => [
  { send: "GET /" },
  { send: "POST /" },
  { send: "GET /status" },
  { send: "POST /start", json: {} },
  { send: "POST /start" },
  { send: "POST /start", json: { transport: "nope" } },
  ...own,
];

// biome-ignore format: one request per line
export const setups: readonly Setup[] = [
  {
    flags: [],
    requests: [
      { send: "GET /" },
      { send: "POST /", text: "" },
      { send: "GET /client" },
      { send: "GET /client/" },
      { send: "GET /client/nothing.js" },
      { send: "GET /client/../status" },
      { send: "GET /status" },
      { send: "POST /status", json: {} },
      { send: "GET /docs" },
      { send: "GET /openapi.json", statusOnly: true },
      { send: "GET /nothing" },
      { send: "DELETE /nothing" },

      { send: "GET /start" },
      { send: "PUT /start", json: {} },
      { send: "POST /start", json: {} },
      { send: "POST /start" },
      { send: "POST /start", text: "" },
      { send: "POST /start", text: "{}", headers: { "content-type": "text/plain" } },
      { send: "POST /start", text: "{}", headers: { "content-type": "application/x-www-form-urlencoded" } },
      { send: "POST /start", text: "{", differs: ["200 {sessionId}", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", text: '{"transport": "webrtc",}', differs: ["200 {sessionId}", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", json: [], differs: ["500 text/plain", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", json: "webrtc", differs: ["500 text/plain", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", json: 7, differs: ["500 text/plain", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", json: null, differs: ["500 text/plain", "400 {detail}", "a body that is not an object"] },
      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "POST /start", json: { transport: "webrtc", body: { a: 1 } } },
      { send: "POST /start", json: { transport: "webrtc", body: null } },
      { send: "POST /start", json: { transport: "webrtc", body: "text" } },
      { send: "POST /start", json: { transport: "webrtc", enableDefaultIceServers: true } },
      { send: "POST /start", json: { transport: "webrtc", enableDefaultIceServers: false } },
      { send: "POST /start", json: { transport: "webrtc", unknown: true } },
      { send: "POST /start", json: { transport: null } },
      { send: "POST /start", json: { transport: "" } },
      { send: "POST /start", json: { transport: 7 } },
      { send: "POST /start", json: { transport: "WebRTC" } },
      { send: "POST /start", json: { transport: "nope" } },
      { send: "POST /start", json: { transport: "eval" } },
      { send: "POST /start", json: { transport: "moq" } },
      { send: "POST /start", json: { transport: "vonage" }, differs: ["400 {detail}", "200 {wsUrl}", "`-t vonage`: Vonage Video"] },
      { send: "POST /start", json: { transport: "daily" }, differs: ["200 null", "400 {detail}", "neither `createDailyRoom` nor a room URL"] },
      { send: "POST /start", json: { createDailyRoom: true }, differs: ["500 text/plain", "400 {detail}", "without an API key, or when Daily rejects"] },
      { send: "POST /start", json: { createDailyRoom: false } },
      { send: "POST /start", json: { transport: "livekit" }, differs: ["500 text/plain", "400 {detail}", "livekit: 500 without keys"] },
      { send: "POST /start", json: { transport: "twilio" } },
      { send: "POST /start", json: { transport: "telnyx" } },
      { send: "POST /start", json: { transport: "plivo" } },
      { send: "POST /start", json: { transport: "exotel" } },
      { send: "POST /start", json: { transport: "websocket" }, differs: ["200 {sessionId, token: null, wsUrl}", "200 {wsUrl}", "websocket: `{wsUrl, sessionId, token}`"] },
      { send: "WS {socket}", messages: [ready], differs: [...botReady, "`capabilities` in `bot-ready`"] },

      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "GET /sessions/{sessionId}/nothing", differs: ["200", "404 {detail}", sessionPath] },
      { send: "POST /sessions/{sessionId}/nothing", json: {}, differs: ["200", "404 {detail}", sessionPath] },
      { send: "PUT /sessions/{sessionId}/nothing", json: {}, differs: ["200", "404 {detail}", sessionPath] },
      { send: "PATCH /sessions/{sessionId}/nothing", json: {}, differs: ["200", "404 {detail}", sessionPath] },
      { send: "DELETE /sessions/{sessionId}/nothing", differs: ["200", "404 {detail}", sessionPath] },
      { send: "GET /sessions/unknown/nothing", differs: ["404", "404 {detail}", sessionPath] },
      { send: "POST /sessions/unknown/api/offer", json: offer, differs: ["404", "404 {detail}", sessionPath] },
      { send: "PATCH /sessions/unknown/api/offer", json: { pc_id: "x", candidates: [] }, differs: ["404", "404 {detail}", sessionPath] },
      { send: "GET /sessions/{sessionId}/api/offer", differs: ["400", "404 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "POST /sessions/{sessionId}/api/offer", text: "{", differs: ["400", "400 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "POST /sessions/{sessionId}/api/offer", json: {}, differs: ["400", "400 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "POST /sessions/{sessionId}/api/offer", json: { type: "offer" }, differs: ["400", "400 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "POST /sessions/{sessionId}/api/offer", json: { type: "offer", sdp: "nonsense" }, differs: ["200 {pc_id, sdp, type}", "400 {detail}", "an SDP that cannot be read"] },
      { send: "POST /sessions/{sessionId}/api/offer", json: offer },
      { send: "PATCH /sessions/{sessionId}/api/offer", json: { pc_id: "{pcId}", candidates: [candidate] } },
      { send: "PATCH /sessions/{sessionId}/api/offer", json: { pc_id: "{pcId}", candidates: [] } },
      { send: "PATCH /sessions/{sessionId}/api/offer", json: { pc_id: "{pcId}" }, differs: ["200 {status}", "400 {detail}", "`PATCH` without `candidates`"] },
      { send: "PATCH /sessions/{sessionId}/api/offer", json: { candidates: [] }, differs: ["400", "400 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "PATCH /sessions/{sessionId}/api/offer", json: { pc_id: "unknown", candidates: [] }, differs: ["400", "404 {detail}", "failures under `/sessions/{id}/`"] },
      { send: "POST /sessions/{sessionId}/api/offer", json: { ...offer, pc_id: "{pcId}" } },
      { send: "POST /sessions/{sessionId}/api/offer", json: { ...offer, pc_id: "{pcId}", restart_pc: true } },

      { send: "GET /api/offer" },
      { send: "POST /api/offer", text: "{", differs: ["422 {detail: […]}", "400 {detail}", "422 `{detail: […]}`"] },
      { send: "POST /api/offer", json: {}, differs: ["422 {detail: […]}", "400 {detail}", "422 `{detail: […]}`"] },
      { send: "POST /api/offer", json: { type: "offer", sdp: 7 }, differs: ["422 {detail: […]}", "400 {detail}", "422 `{detail: […]}`"] },
      { send: "POST /api/offer", json: { type: "offer", sdp: "nonsense" }, differs: ["200 {pc_id, sdp, type}", "400 {detail}", "an SDP that cannot be read"] },
      { send: "POST /api/offer", json: offer },
      { send: "POST /api/offer", json: { ...offer, request_data: { a: 1 } } },
      { send: "POST /api/offer", json: { ...offer, requestData: { a: 1 } } },
      { send: "POST /api/offer?session_id=mine", json: offer },
      { send: "POST /api/offer?session_id=mine", json: offer, differs: ["200 {pc_id, sdp, type}", "409 {detail}", "`POST /api/offer?session_id=ID`"] },
      { send: "POST /api/offer", json: { ...offer, pc_id: "unknown" }, differs: ["200 {pc_id, sdp, type}", "404 {detail}", "an offer with an unknown `pc_id`"] },
      { send: "PATCH /api/offer", json: { pc_id: "{pcId}", candidates: [candidate] } },
      { send: "PATCH /api/offer", json: { pc_id: "{pcId}", candidates: [{ candidate: "" }] }, differs: ["422 {detail: […]}", "200 {status}", "`PATCH` without `candidates`"] },
      { send: "PATCH /api/offer", json: { pc_id: "{pcId}" }, differs: ["422 {detail: […]}", "400 {detail}", "`PATCH` without `candidates`"] },
      { send: "PATCH /api/offer", json: {}, differs: ["422 {detail: […]}", "400 {detail}", "`PATCH` without `candidates`"] },
      { send: "PATCH /api/offer", json: { pc_id: "unknown", candidates: [] } },

      { send: "GET /files/a.txt" },
      { send: "GET /files" },
      { send: "POST /files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /files", json: {}, differs: ["422 {detail: […]}", "503 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /sessions/{sessionId}/files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /sessions/unknown/files", form: { file: ["a.txt", "hello"] } },

      { send: "GET /daily", differs: ["500 text/plain", "400 {detail}", "without an API key, or when Daily rejects"] },
      { send: "POST /daily-dialin-webhook", json: { test: "test" } },
      { send: "GET /whatsapp" },
      { send: "POST /whatsapp", json: {} },

      { send: "GET /status", headers: page, show: ["access-control-allow-origin"] },
      { send: "GET /status", headers: foreign, show: ["access-control-allow-origin"], differs: ["200 {status, transports: [string]} access-control-allow-origin: https://a.example", "403 {detail} access-control-allow-origin: -", "`--allowed-origins`: several values"] },
      { send: "OPTIONS /start", headers: { ...page, "access-control-request-method": "POST", "access-control-request-headers": "content-type" }, show: ["access-control-allow-headers"], differs: ["200 text/plain access-control-allow-headers: content-type", "204 access-control-allow-headers: content-type", "CORS: the listed origins"] },
      { send: "OPTIONS /api/offer", headers: { ...page, "access-control-request-method": "PATCH", "access-control-request-headers": "x-mine" }, show: ["access-control-allow-headers"], differs: ["200 text/plain access-control-allow-headers: x-mine", "204 access-control-allow-headers: x-mine", "CORS: the listed origins"] },
      { send: "OPTIONS /start", differs: ["405 {detail}", "200", "CORS: the listed origins"] },

      { send: "WS /ws-client", messages: [ready], differs: [...botReady, "`capabilities` in `bot-ready`"] },
      { send: "WS /ws-client", headers: page },
      { send: "WS /ws-client", headers: foreign, differs: ["101", "403", "`--allowed-origins`: several values"] },
      { send: "WS /ws-client/unknown", differs: ["101", "404", "`WS /ws-client/{token}`"] },
      { send: "WS /ws-client", messages: [JSON.stringify(ready)], differs: ["101 closed 1000", botReady[1], "`RTVIClientTransport`: RTVI as JSON text"] },
      { send: "WS /ws-client", messages: ["nonsense"], differs: ["101 closed 1000", "101", "a malformed message ends the call"] },
      { send: "WS /ws", messages: exotelCall },
      { send: "WS /ws", messages: twilioCall, differs: ["101 closed 1006", "101", "`TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`"] },
      { send: "WS /ws", messages: ["nonsense", "nonsense"], differs: ["101 closed 1006", "101", "reads two messages without a timeout"] },
      { send: "WS /ws/unknown", differs: ["101", "404", "`WS /ws/{token}`"] },
      { send: "WS /nothing", differs: ["403", "404", rejected] },
      { send: "GET /ws" },
      { send: "GET /ws-client" },
    ],
  },
  {
    flags: ["-u", "{folder}/uploads", "-f", "{folder}"],
    requests: [
      { send: "GET /files/a.txt", show: ["content-disposition"] },
      { send: "GET /files/sub/b.json" },
      { send: "HEAD /files/a.txt", differs: ["405", "200", "`GET /files/{path}`"] },
      { send: "GET /files/a.txt", headers: { range: "bytes=0-1" }, show: ["content-range"] },
      { send: "GET /files/nothing.txt" },
      { send: "GET /files/sub", differs: ["500 text/plain", "404 {detail}", "`GET /files/{path}`"] },
      { send: "GET /files/%2e%2e%2fpackage.json", differs: ["403 {detail}", "404 {detail}", "paths outside the folder are 404"] },
      { send: "GET /files/..%2fpackage.json", differs: ["403 {detail}", "404 {detail}", "paths outside the folder are 404"] },
      { send: "POST /files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /files", form: { file: ["a.bin", "hello"], note: "more" } },
      { send: "POST /files", form: { file: ["a.txt", ""] }, differs: ["200 {format, name, source: {type, url}}", "400 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /files", form: { other: ["a.txt", "hello"] }, differs: ["500 text/plain", "400 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /files", form: { file: "hello" }, differs: ["500 text/plain", "400 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /files", json: {}, differs: ["422 {detail: […]}", "400 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /files", differs: ["422 {detail: […]}", "400 {detail}", "`POST /files`, `POST /sessions/{id}/files`"] },
      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "POST /sessions/{sessionId}/files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /sessions/unknown/files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /start", json: { transport: "websocket" }, differs: ["200 {fileUploadUrl, sessionId, token: null, wsUrl}", "200 {wsUrl}", "`fileUploadUrl` for webrtc"] },
      { send: "POST /start", json: { transport: "twilio" } },
    ],
  },
  {
    flags: ["-t", "webrtc"],
    requests: starts(
      { send: "POST /start", json: { transport: "websocket" } },
      { send: "WS /ws", differs: ["101", "404", "`-t`: the routes of other transports"] },
    ),
  },
  {
    flags: ["-t", "websocket"],
    requests: [
      { send: "GET /" },
      { send: "GET /status" },
      { send: "POST /start", json: {}, differs: ["200 {sessionId, token: null, wsUrl}", "200 {wsUrl}", "websocket: `{wsUrl, sessionId, token}`"] },
      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "POST /api/offer", json: offer, differs: ["200 {pc_id, sdp, type}", "404 {detail}", "`-t`: the routes of other transports"] },
    ],
  },
  {
    flags: ["-t", "twilio", "-x", "https://bot.example/"],
    requests: starts(
      { send: "POST /", headers: { "content-type": "application/x-www-form-urlencoded" }, text: "CallSid=CA1&From=1&To=2" },
      { send: "POST /start", json: { transport: "twilio" } },
      { send: "POST /start", json: { transport: "webrtc" } },
    ),
  },
  {
    flags: ["-t", "telnyx", "-x", "bot.example"],
    requests: starts({ send: "POST /", json: { data: { event_type: "call.initiated", payload: { call_control_id: "v3:1" } } } }),
  },
  {
    flags: ["-t", "plivo", "-x", "bot.example"],
    requests: starts({ send: "POST /", headers: { "content-type": "application/x-www-form-urlencoded" }, text: "CallUUID=1&From=1&To=2" }),
  },
  { flags: ["-t", "exotel", "-x", "bot.example"], requests: starts({ send: "WS /ws", messages: exotelCall }) },
  {
    flags: ["--ws-auth", "token"],
    requests: [
      { send: "POST /start", json: { transport: "websocket" }, differs: ["200 {sessionId, token, wsUrl}", "200 {wsUrl}", "websocket: `{wsUrl, sessionId, token}`"] },
      { send: "WS {socket}", messages: [ready], differs: [...botReady, "`capabilities` in `bot-ready`"] },
      { send: "WS {socket}", messages: [ready], differs: ["403", "404", rejected] },
      { send: "WS /ws-client", differs: ["403", "401", rejected] },
      { send: "WS /ws-client/wrong", differs: ["403", "401", rejected] },
      { send: "WS /ws-client?token=wrong" },
      { send: "WS /ws-client", headers: { authorization: "Bearer wrong" } },
      { send: "POST /start", json: { transport: "exotel" }, differs: ["200 {token, wsUrl}", "200 {wsUrl}", "telephony: `token` next to `wsUrl`"] },
      { send: "WS {socket}", messages: exotelCall },
      { send: "WS /ws", differs: ["403", "401", rejected] },
      { send: "WS /ws/wrong", differs: ["403", "401", rejected] },
      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "POST /sessions/{sessionId}/api/offer", json: offer },
    ],
  },
  {
    flags: ["--allowed-origins", "https://a.example", "https://b.example"],
    requests: [
      { send: "GET /status", headers: foreign, show: ["access-control-allow-origin"] },
      { send: "GET /status", headers: { origin: "https://c.example" }, show: ["access-control-allow-origin"], differs: ["200 {status, transports: [string]} access-control-allow-origin: -", "403 {detail} access-control-allow-origin: -", "`--allowed-origins`: several values"] },
      { send: "GET /status" },
      { send: "POST /start", json: {}, headers: foreign },
      { send: "POST /start", json: {}, headers: { origin: "https://c.example" }, differs: ["200 {sessionId}", "403 {detail}", "`--allowed-origins`: several values"] },
      { send: "OPTIONS /start", headers: { ...foreign, "access-control-request-method": "POST" }, differs: ["200 text/plain", "204", "CORS: the listed origins"] },
      { send: "OPTIONS /start", headers: { origin: "https://c.example", "access-control-request-method": "POST" }, differs: ["400 text/plain", "403 {detail}", "CORS: the listed origins"] },
      { send: "WS /ws-client", headers: foreign },
      { send: "WS /ws-client", headers: { origin: "https://A.EXAMPLE" } },
      { send: "WS /ws-client", headers: { origin: "https://c.example" } },
      { send: "WS /ws-client" },
    ],
  },
  {
    flags: ["-t", "webrtc", "--ice-servers", "stun:stun.example:3478", '{"urls": ["turn:turn.example"], "username": "u", "credential": "c"}'],
    requests: [
      { send: "POST /start", json: {}, differs: ["200 {iceConfig: {iceServers: [{urls}]}, sessionId}", "200 {iceConfig: {iceServers: [{urls: [string]}]}, sessionId}", "webrtc: `{sessionId, iceConfig?: "] },
      { send: "POST /start", json: { enableDefaultIceServers: true }, differs: ["200 {iceConfig: {iceServers: [{urls}]}, sessionId}", "200 {iceConfig: {iceServers: [{urls: [string]}]}, sessionId}", "webrtc: `{sessionId, iceConfig?: "] },
    ],
  },
  {
    flags: ["--whatsapp"],
    env: {
      WHATSAPP_APP_SECRET: "secret",
      WHATSAPP_PHONE_NUMBER_ID: "1",
      WHATSAPP_TOKEN: "token",
      WHATSAPP_WEBHOOK_VERIFICATION_TOKEN: "verify",
    },
    requests: [
      { send: "GET /whatsapp?hub.mode=subscribe&hub.challenge=123&hub.verify_token=verify" },
      { send: "GET /whatsapp?hub.mode=subscribe&hub.challenge=123&hub.verify_token=wrong" },
      { send: "GET /whatsapp" },
      { send: "POST /whatsapp", text: "{", differs: ["422 {detail: […]}", "401 {detail}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", json: {}, differs: ["422 {detail: […]}", "401 {detail}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", json: { object: "page", entry: [] }, differs: ["400 {detail}", "401 {detail}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", json: { object: "whatsapp_business_account", entry: [] }, differs: ["500 {detail}", "401 {detail}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", json: { object: "whatsapp_business_account", entry: [] }, headers: { "x-hub-signature-256": "sha256=00" }, differs: ["500 {detail}", "403 {detail}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", ...signed({ object: "page", entry: [] }), differs: ["400 {detail}", "200 {message, status}", "`POST /whatsapp`: 500 for an invalid signature"] },
      { send: "POST /whatsapp", ...signed({ object: "whatsapp_business_account", entry: [] }), differs: ["400 {detail}", "200 {message, status}", "`POST /whatsapp`: 500 for an invalid signature"] },
    ],
  },
  {
    flags: ["-t", "daily"],
    // Nothing listens at this address, so that both runners fail where they create a room.
    env: { DAILY_API_KEY: "key", DAILY_API_URL: "http://127.0.0.1:9/v1" },
    requests: [
      { send: "GET /status" },
      { send: "GET /daily", differs: ["500 text/plain", "502 {detail}", "without an API key, or when Daily rejects"] },
      { send: "HEAD /daily" },
      { send: "POST /start", json: {}, differs: ["200 null", "400 {detail}", "neither `createDailyRoom` nor a room URL"] },
      { send: "POST /start", json: { createDailyRoom: true }, differs: ["500 text/plain", "502 {detail}", "without an API key, or when Daily rejects"] },
      { send: "POST /start", json: { createDailyRoom: true, dailyRoomProperties: { nothing: true } }, differs: ["500 text/plain", "502 {detail}", "without an API key, or when Daily rejects"] },
      { send: "POST /start", json: { transport: "webrtc" } },
      { send: "POST /daily-dialin-webhook", json: { test: "test" } },
      { send: "POST /daily-dialin-webhook", json: { Test: true } },
      { send: "POST /daily-dialin-webhook", text: "{" },
      { send: "POST /daily-dialin-webhook", json: { From: "+15550001111", To: "+15550002222" } },
      { send: "POST /daily-dialin-webhook", json: dialin, differs: ["500 {detail}", "502 {detail}", "`POST /daily-dialin-webhook`: test ping"] },
      { send: "GET /daily-dialin-webhook" },
    ],
  },
  { flags: ["--no-dialin"], requests: [{ send: "POST /daily-dialin-webhook", json: { test: "test" } }] },
];
