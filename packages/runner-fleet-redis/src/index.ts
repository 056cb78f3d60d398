export { createRedisDirectory } from "./directory.ts";
