const unavailable = (): never => {
  throw new Error("This client does not include daily-js, because it loads code from another host.");
};

/** Replaces daily-js, which the transports import. Using it by mistake throws an error instead of loading code from another host. */
export default { createCallObject: unavailable, getCallInstance: unavailable, version: unavailable };
