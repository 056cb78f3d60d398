const unavailable = (): never => {
  throw new Error("daily-js is not part of this client: it loads code from another host.");
};

/** Stands where the transports import daily-js, so that using it by mistake is an error and not a request to another host. */
export default { createCallObject: unavailable, getCallInstance: unavailable, version: unavailable };
