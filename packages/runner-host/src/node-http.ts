/**
 * Node's HTTP module. An `import` of it reads all its exports, and one of them loads the code of `fetch`: 14 MB of memory, and 25 ms of
 * processor time at each start.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule("node:http");
