/** Tells a worker the address of the caller. The gateway removes it from callers' requests. */
export const clientHeader = "x-pipecat-client";

/** Tells the gateway that the worker rejected the caller because it is full or draining, also where the vendor got a busy tone. */
export const rejectedHeader = "x-pipecat-rejected";
