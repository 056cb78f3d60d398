import { type Availability, type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import { type CallSettings, callOptions } from "@pipecat-ts/runner-webrtc";
import * as Type from "typebox";

/** The options of the whatsapp transport. */
export interface WhatsAppOptions extends CallSettings, Partial<Credentials> {
  /** Whether the runner does not start if a credential is missing. */
  readonly whatsapp: boolean;
  /** The URL of the Graph API with its version. */
  readonly apiUrl: string;
}

/** The credentials of the app and its business number. */
export interface Credentials {
  /** The key of webhook signatures. */
  readonly appSecret: string;
  /** The id of the business number, not the number itself. */
  readonly phoneNumberId: string;
  /** The access token for the Graph API. */
  readonly token: string;
  /** The verification token in the app's webhook settings. */
  readonly verificationToken: string;
}

const nonEmpty = Type.String({ minLength: 1 });

/** The environment variables have the same names as in Pipecat's own runner. */
const credentialOptions: OptionTable<Credentials> = {
  appSecret: { env: "WHATSAPP_APP_SECRET", description: "The app secret", schema: nonEmpty, secret: true },
  phoneNumberId: { env: "WHATSAPP_PHONE_NUMBER_ID", description: "The id of the business number", schema: nonEmpty },
  token: { env: "WHATSAPP_TOKEN", description: "The access token", schema: nonEmpty, secret: true },
  verificationToken: {
    env: "WHATSAPP_WEBHOOK_VERIFICATION_TOKEN",
    description: "The webhook's verification token",
    schema: nonEmpty,
    secret: true,
  },
};

export const whatsappOptions: OptionTable<WhatsAppOptions> = {
  ...callOptions,
  ...credentialOptions,
  whatsapp: {
    flag: "whatsapp",
    description: "Do not start unless the four WHATSAPP_… variables are set",
    schema: Type.Boolean(),
    default: false,
  },
  apiUrl: {
    env: "WHATSAPP_API_URL",
    description: "URL of the Graph API with its version",
    schema: Type.String({ pattern: "^https?://[^?#]+$", description: "an http or https URL" }),
    default: "https://graph.facebook.com/v23.0",
  },
};

/** Checks that all credentials are set. Throws OPTION_INVALID when one is missing and `--whatsapp` is set. */
export function checkCredentials(options: Partial<WhatsAppOptions> = {}): Availability {
  const names = Object.keys(credentialOptions) as (keyof Credentials)[];
  const missing = names.filter((name) => !options[name]).flatMap((name) => credentialOptions[name].env ?? []);
  if (missing.length === 0) return { state: "ready" };
  const reason = `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not set.`;
  const fix = "Copy the values from the settings of your app at https://developers.facebook.com/apps.";
  if (options.whatsapp === true)
    throw new RunnerError("OPTION_INVALID", `--whatsapp requires credentials: ${reason}`, { fix });
  return { state: "unavailable", reason, fix };
}

/** Returns the credentials that `checkCredentials` has checked. */
export function credentialsOf(options: WhatsAppOptions): Credentials {
  const { appSecret = "", phoneNumberId = "", token = "", verificationToken = "" } = options;
  return { appSecret, phoneNumberId, token, verificationToken };
}
