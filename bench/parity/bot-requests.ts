import { callMessages, numbers } from "./phone-messages.ts";
import { type Comparison, type Difference, dialin, offer, type Setup } from "./requests.ts";

const base = "`RunnerArguments` base class, `isinstance`";
/** The arguments of every bot that one of the runners does not have. */
export const everyBot: Readonly<Record<string, Difference>> = {
  pipelineIdleTimeoutSecs: ["300", "-", "`pipeline_idle_timeout_secs` (300)"],
  session: ["-", '"object"', "`signal`, `session`"],
  signal: ["-", '"object"', "`signal`, `session`"],
};

/** The class of Python's arguments, and the transport of ours. */
const kind = (python: string, here: string) => ({ transport: [`"${python}"`, `"${here}"`, base] }) as const;
const webrtc = kind("SmallWebRTCRunnerArguments", "webrtc");
const plain = {
  ...kind("WebSocketRunnerArguments", "websocket"),
  transportType: ['"websocket"', "-", "`WebSocketRunnerArguments.websocket`, `transport_type`"],
} as const;
const phone = (carrier: string) =>
  ({
    ...kind("WebSocketRunnerArguments", carrier),
    transportType: [`"${carrier}"`, "-", "`WebSocketRunnerArguments` for phone calls"],
    websocket: ['"object"', "-", "`WebSocketRunnerArguments` for phone calls"],
  }) as const;

const json = JSON.stringify;
/** What Python's runner has where ours has the body of the carrier, or nothing. */
const body = (python: string, here: string) => [python, here, "`body`: `{}` without one"] as const;
const callData = (python: string, here: string) => [python, here, "`call_data` (`CallData`"] as const;
/** Python's runner requires credentials. */
const refused = ["101 closed 1006", "101", "`TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN`"] as const;

const gold = { plan: "gold" };
const twilioBody = { ...gold, from_number: numbers.from, to_number: numbers.to };

const exotel = {
  ...phone("exotel"),
  "callData.body": callData("{}", json(gold)),
  "callData.customParameters": callData(json(gold), "-"),
} as const;

const dailyBot = kind("DailyRunnerArguments", "daily");
const dialinRow = "`DailyDialinRequest` as `body` of phone calls";
const dialinData = Object.fromEntries(
  Object.entries({ callId: "c1", streamId: "c1", ...numbers }).map(
    ([name, value]) => [`callData.${name}`, ["-", json(value), dialinRow]] as const,
  ),
) as Readonly<Record<string, Difference>>;

/** Requests that start bots, whose arguments are compared. */
export function botSetups({ daily, livekit }: Servers): readonly Setup[] {
  const start = (json: object): Comparison => ({ send: "POST /start", json });
  return [
    {
      flags: ["-u", "{folder}/uploads"],
      requests: [
        start({ transport: "webrtc", body: gold }),
        { send: "POST /sessions/{sessionId}/api/offer", json: offer, bot: webrtc },
        { send: "POST /api/offer", json: { ...offer, request_data: gold }, bot: webrtc },
        { send: "POST /api/offer?session_id=mine", json: offer, bot: webrtc },
        {
          ...start({ transport: "websocket", body: gold }),
          differs: ["200 {fileUploadUrl, sessionId, token: null, wsUrl}", "200 {wsUrl}", "`fileUploadUrl` for webrtc"],
        },
        {
          send: "WS {socket}",
          bot: { ...plain, body: ["-", json(gold), "websocket: `body` requires `--ws-auth token`"] },
        },
        {
          send: "WS /ws",
          messages: callMessages("twilio", twilioBody),
          differs: refused,
          bot: {
            ...phone("twilio"),
            body: body("-", json(twilioBody)),
            "callData.accountSid": callData("-", json(`AC${"0".repeat(32)}`)),
          },
        },
        {
          send: "WS /ws",
          messages: callMessages("telnyx"),
          differs: refused,
          bot: {
            ...phone("telnyx"),
            "callData.body": callData("{}", "-"),
            "callData.outboundEncoding": callData('"PCMU"', "-"),
          },
        },
        {
          send: "WS /ws",
          messages: callMessages("plivo"),
          differs: refused,
          bot: {
            ...phone("plivo"),
            "callData.body": callData("{}", "-"),
            "callData.accountId": callData("-", '"a1"'),
          },
        },
        { send: "WS /ws", messages: callMessages("exotel", gold), bot: { ...exotel, body: body("-", json(gold)) } },
      ],
    },
    {
      flags: ["--runner-body", "{folder}/body.yaml"],
      requests: [
        { send: "WS /ws-client", bot: plain },
        { send: "WS /ws", messages: callMessages("exotel", gold), bot: exotel },
      ],
    },
    {
      flags: ["-t", "daily", "--dialin"],
      env: { DAILY_API_KEY: daily.key, DAILY_API_URL: daily.url },
      requests: [
        { ...start({ createDailyRoom: true, body: gold }), bot: dailyBot },
        { ...start({ createDailyRoom: true }), bot: { ...dailyBot, body: body("{}", "-") } },
        { send: "GET /daily", bot: { ...dailyBot, body: body("{}", "-") } },
        { send: "POST /daily-dialin-webhook", json: dialin, bot: { ...dailyBot, ...dialinData } },
      ],
    },
    ...(livekit ? [livekitSetup(livekit)] : []),
  ];
}

function livekitSetup({ url, apiKey, apiSecret }: NonNullable<Servers["livekit"]>): Setup {
  const bot = kind("LiveKitRunnerArguments", "livekit");
  return {
    flags: ["-t", "livekit", "-u", "{folder}/uploads"],
    env: { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret },
    requests: [
      { send: "GET /status" },
      { send: "GET /" },
      { send: "POST /start", json: { body: gold }, bot },
      { send: "POST /start", json: { transport: "livekit" }, bot: { ...bot, body: body("{}", "-") } },
      { send: "POST /sessions/{sessionId}/files", form: { file: ["a.txt", "hello"] } },
      { send: "POST /start", json: { transport: "webrtc" } },
    ],
  };
}

/** Local servers: a fake of Daily's API, and LiveKit's own server where it is installed. */
export interface Servers {
  readonly daily: { readonly url: string; readonly key: string };
  readonly livekit: { readonly url: string; readonly apiKey: string; readonly apiSecret: string } | undefined;
}
