import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  type ApiRequest,
  apiPath,
  basicAuthorization,
  type CarrierApi,
  element,
  xmlDocument,
} from "@pipecat-ts/runner-telephony";
import { defaultApiUrl, type TwilioOptions } from "./options.ts";

/** Twilio's REST API for calls: https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource */
export const api: CarrierApi<TwilioOptions> = {
  isReady: ({ authToken, apiKey, apiSecret }) =>
    authToken !== undefined || (apiKey !== undefined && apiSecret !== undefined),
  fixes: ["Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.", "Set TWILIO_API_KEY and TWILIO_API_SECRET."],
  // https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources: any API key may read it.
  probe(options) {
    const { accountSid } = options;
    if (accountSid === undefined) return undefined;
    const url = apiPath(baseUrl(options), "2010-04-01", "Accounts", accountSid, "Calls.json");
    url.searchParams.set("PageSize", "1");
    return { method: "GET", url, headers: { authorization: authorizationOf(accountSid, options) } };
  },
  hangUp: (call, options) => ({
    ...update(call, { Status: "completed" }, options),
    // Error 20404: the call has ended, and its resource is gone.
    isDone: ({ status, body }) => status === 404 && /"code"\s*:\s*20404\b/.test(body),
  }),
  whispers: ["say", "play"],
  transfer(call, { number, whisperUrl }, options) {
    // https://www.twilio.com/docs/voice/twiml/number#attributes-url
    const url = whisperUrl();
    const callee = element(/^sips?:/.test(number) ? "Sip" : "Number", url ? { url: url.href } : {}, number);
    const dial = element("Dial", {}, callee);
    return update(call, { Twiml: xmlDocument(element("Response", {}, dial)).body }, options);
  },
};

function update(call: CallData, fields: Readonly<Record<string, string>>, options: TwilioOptions): ApiRequest {
  const { accountSid = call.accountSid } = options;
  if (typeof accountSid !== "string" || accountSid === "") {
    throw new RunnerError("CARRIER_CREDENTIALS_MISSING", "The account of the call is not known.", {
      fix: "Set TWILIO_ACCOUNT_SID.",
    });
  }
  return post(accountSid, ["Calls", `${call.callId}.json`], fields, options);
}

/** A request about a resource of an account. */
export function post(
  accountSid: string,
  resource: readonly string[],
  fields: Readonly<Record<string, string>>,
  options: TwilioOptions,
): ApiRequest {
  return {
    method: "POST",
    url: apiPath(baseUrl(options), "2010-04-01", "Accounts", accountSid, ...resource),
    headers: {
      authorization: authorizationOf(accountSid, options),
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams(fields).toString(),
  };
}

/** An API key takes precedence, because it is given for these requests only; the auth token also verifies signatures. */
function authorizationOf(accountSid: string, { apiKey, apiSecret, authToken = "" }: TwilioOptions): string {
  if (apiKey !== undefined && apiSecret !== undefined) return basicAuthorization(apiKey, apiSecret);
  return basicAuthorization(accountSid, authToken);
}

/** https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region */
function baseUrl({ apiUrl, region, edge }: TwilioOptions): string {
  if (apiUrl !== defaultApiUrl || (region === undefined && edge === undefined)) return apiUrl;
  return `https://${["api", edge, region ?? "us1", "twilio", "com"].filter((part) => part !== undefined).join(".")}`;
}
