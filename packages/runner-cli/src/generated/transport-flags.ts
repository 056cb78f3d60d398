// Written by scripts/transport-flags.ts.

/** The packages of this project's transports that declare each flag. */
export const transportFlags: Readonly<Record<string, readonly string[]>> = {
  "announce-ip": [
    "@pipecat-ts/runner-webrtc",
    "@pipecat-ts/runner-whatsapp"
  ],
  "caller-ice-servers": [
    "@pipecat-ts/runner-webrtc"
  ],
  "caller-timeout": [
    "@pipecat-ts/runner-webrtc",
    "@pipecat-ts/runner-whatsapp"
  ],
  "chromium": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-api-key": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-api-url": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-bundle-url": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-delete-rooms": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-dialin-without-browser": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-empty-room-timeout": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-join-timeout": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-owner-token": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-pinless-hmac-secret": [
    "@pipecat-ts/runner-daily"
  ],
  "daily-room-url": [
    "@pipecat-ts/runner-daily"
  ],
  "dialin": [
    "@pipecat-ts/runner-daily"
  ],
  "esp32": [
    "@pipecat-ts/runner-webrtc"
  ],
  "exotel-sample-rate": [
    "@pipecat-ts/runner-telephony-exotel"
  ],
  "ice-servers": [
    "@pipecat-ts/runner-webrtc",
    "@pipecat-ts/runner-whatsapp"
  ],
  "livekit-api-key": [
    "@pipecat-ts/runner-livekit"
  ],
  "livekit-api-secret": [
    "@pipecat-ts/runner-livekit"
  ],
  "livekit-empty-room-timeout": [
    "@pipecat-ts/runner-livekit"
  ],
  "livekit-join-timeout": [
    "@pipecat-ts/runner-livekit"
  ],
  "livekit-room-name": [
    "@pipecat-ts/runner-livekit"
  ],
  "livekit-url": [
    "@pipecat-ts/runner-livekit"
  ],
  "plivo-content-type": [
    "@pipecat-ts/runner-telephony-plivo"
  ],
  "plivo-verify-sockets": [
    "@pipecat-ts/runner-telephony-plivo"
  ],
  "relay-only": [
    "@pipecat-ts/runner-webrtc",
    "@pipecat-ts/runner-whatsapp"
  ],
  "telnyx-codec": [
    "@pipecat-ts/runner-telephony-telnyx"
  ],
  "udp-ports": [
    "@pipecat-ts/runner-webrtc",
    "@pipecat-ts/runner-whatsapp"
  ],
  "verify-signatures": [
    "@pipecat-ts/runner-daily",
    "@pipecat-ts/runner-telephony-exotel",
    "@pipecat-ts/runner-telephony-plivo",
    "@pipecat-ts/runner-telephony-telnyx",
    "@pipecat-ts/runner-telephony-twilio",
    "@pipecat-ts/runner-telephony-vonage"
  ],
  "vonage-sample-rate": [
    "@pipecat-ts/runner-telephony-vonage"
  ],
  "whatsapp": [
    "@pipecat-ts/runner-whatsapp"
  ]
};
