import { type Availability, type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import { type CallSettings, callOptions } from "@pipecat-ts/runner-webrtc";
import Type from "typebox";

/** What can be set of WhatsApp. */
export interface WhatsAppOptions extends CallSettings, Partial<Credentials> {
  /** Whether WhatsApp is wanted, so that a missing variable stops the start. */
  readonly whatsapp: boolean;
  /** Where the Graph API is, its version included. */
  readonly apiUrl: string;
}

/** How the business and its app are known to WhatsApp. */
export interface Credentials {
  /** What WhatsApp signs its webhooks with. */
  readonly appSecret: string;
  /** The id of the business number that is called; not the number. */
  readonly phoneNumberId: string;
  /** The access token for the Graph API. */
  readonly token: string;
  /** What the person who set the webhook up typed there. */
  readonly verificationToken: string;
}

const text = Type.String({ minLength: 1 });

/** The variables' names are those of Pipecat's own runner. */
const credentialOptions: OptionTable<Credentials> = {
  appSecret: { env: "WHATSAPP_APP_SECRET", description: "The app's secret", schema: text, secret: true },
  phoneNumberId: { env: "WHATSAPP_PHONE_NUMBER_ID", description: "The id of the business number", schema: text },
  token: { env: "WHATSAPP_TOKEN", description: "The access token", schema: text, secret: true },
  verificationToken: {
    env: "WHATSAPP_WEBHOOK_VERIFICATION_TOKEN",
    description: "The webhook's verification token",
    schema: text,
    secret: true,
  },
};

export const whatsappOptions: OptionTable<WhatsAppOptions> = {
  ...callOptions,
  ...credentialOptions,
  whatsapp: {
    flag: "whatsapp",
    description: "Start only if the four WHATSAPP_… variables are set",
    schema: Type.Boolean(),
    default: false,
  },
  apiUrl: {
    env: "WHATSAPP_API_URL",
    description: "The Graph API, with its version",
    schema: Type.String({ pattern: "^https?://[^?#]+$", description: "an http or https URL" }),
    default: "https://graph.facebook.com/v23.0",
  },
};

/** Whether the credentials are complete; says which are not. Throws OPTION_INVALID where WhatsApp is wanted and they are not. */
export function checkCredentials(options: Partial<WhatsAppOptions> = {}): Availability {
  const names = Object.keys(credentialOptions) as (keyof Credentials)[];
  const missing = names.filter((name) => !options[name]).flatMap((name) => credentialOptions[name].env ?? []);
  if (missing.length === 0) return { state: "ready" };
  const reason = `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not set.`;
  const fix = "Set the environment variables by the settings of your app at https://developers.facebook.com/apps.";
  if (options.whatsapp === true)
    throw new RunnerError("OPTION_INVALID", `--whatsapp was given, but ${reason}`, { fix });
  return { state: "unavailable", reason, fix };
}

/** The credentials, which `checkCredentials` found complete. */
export function credentialsOf(options: WhatsAppOptions): Credentials {
  const { appSecret = "", phoneNumberId = "", token = "", verificationToken = "" } = options;
  return { appSecret, phoneNumberId, token, verificationToken };
}
