// Written by "pipecat-runner types", and at each start: the types of the transports in package.json.
import type {} from "@pipecat-ts/runner-daily";
import type {} from "@pipecat-ts/runner-livekit";
import type {} from "@pipecat-ts/runner-telephony-exotel";
import type {} from "@pipecat-ts/runner-telephony-plivo";
import type {} from "@pipecat-ts/runner-telephony-telnyx";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import type {} from "@pipecat-ts/runner-telephony-vonage";
import type {} from "@pipecat-ts/runner-webrtc";
import type {} from "@pipecat-ts/runner-websocket";
import type {} from "@pipecat-ts/runner-whatsapp";
