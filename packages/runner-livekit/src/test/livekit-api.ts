import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** The account of the fake server. */
export const apiKey = "APIkeyOfTests";
export const apiSecret = "secret-of-tests-0123456789abcdef";

/** A request that the fake server received. */
export interface ReceivedRequest {
  readonly method: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A fake of LiveKit's room service, with the status codes and error bodies of LiveKit 1.9. */
export interface LiveKitApi extends AsyncDisposable {
  /** The URL of the server, with `ws`. */
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** The names of the rooms that exist, and how many participants each may have; 0: without limit. */
  readonly rooms: ReadonlyMap<string, number>;
  /** How long the rooms are kept without callers. */
  readonly timeouts: ReadonlyMap<string, RoomTimeouts>;
  /** The timeouts of rooms that are created without them. Default: LiveKit's. */
  defaultTimeouts: RoomTimeouts;
  addRoom(name: string, maxParticipants: number): void;
  /** Closes a room, as LiveKit does when its timeout has passed. */
  closeRoom(name: string): void;
  /** Answers the next requests with this status; `hang` never answers. */
  failNext(...answers: (number | "hang")[]): void;
  onRoomCreated(listener: (name: string) => void): void;
  /** `reason` is LiveKit's. */
  onRoomClosed(listener: (name: string, reason: string) => void): void;
  /** How many participants are in a room. */
  countParticipants: (room: string) => number;
}

/** How long LiveKit keeps a room in which only agents are, in seconds. */
export interface RoomTimeouts {
  /** From its creation until the first caller joins. */
  readonly empty: number;
  /** Since the last participant left. */
  readonly departure: number;
}

/** The claims of a token; `undefined` unless it is signed with the secret and valid now. */
export function readToken(token: string): Readonly<Record<string, unknown>> | undefined {
  const [header = "", payload = "", signature] = token.split(".");
  const expected = createHmac("sha256", apiSecret).update(`${header}.${payload}`).digest("base64url");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  const now = Date.now() / 1000;
  const isValid =
    signature === expected && claims.iss === apiKey && Number(claims.nbf) <= now && Number(claims.exp) > now;
  return isValid ? claims : undefined;
}

export async function openLiveKitApi(): Promise<LiveKitApi> {
  const requests: ReceivedRequest[] = [];
  const rooms = new Map<string, number>();
  const failures: (number | "hang")[] = [];
  const timeouts = new Map<string, RoomTimeouts>();
  const createdListeners: ((name: string) => void)[] = [];
  const closedListeners: ((name: string, reason: string) => void)[] = [];

  function addRoom(name: string, maxParticipants: number, given: Partial<RoomTimeouts> = {}): void {
    rooms.set(name, maxParticipants);
    timeouts.set(name, { ...api.defaultTimeouts, ...given });
    for (const listener of createdListeners) listener(name);
  }

  function removeRoom(name: string, reason: string): boolean {
    timeouts.delete(name);
    if (!rooms.delete(name)) return false;
    for (const listener of closedListeners) listener(name, reason);
    return true;
  }

  function answer({ method, body }: ReceivedRequest, token: string): readonly [status: number, body: object] {
    const { video } = Object(readToken(token)) as { readonly video?: Readonly<Record<string, unknown>> };
    if (video === undefined) return [401, { code: "unauthenticated", msg: `invalid token: ${token}` }];
    const name = String(body.name ?? body.room);
    if (method === "ListRooms" && video.roomList === true) {
      const names = body.names as readonly string[];
      const found = names.filter((each) => rooms.has(each));
      return [200, { rooms: found.map((each) => describe(each)) }];
    }
    if (video.roomCreate !== true) return [403, { code: "permission_denied", msg: "permissions denied" }];
    if (method === "CreateRoom") {
      const { empty_timeout: empty, departure_timeout: departure } = body as Readonly<Record<string, number>>;
      const given = { ...(empty !== undefined && { empty }), ...(departure !== undefined && { departure }) };
      if (!rooms.has(name)) addRoom(name, 0, given);
      return [200, describe(name)];
    }
    if (removeRoom(name, "ROOM_DELETED")) return [200, {}];
    return [404, { code: "not_found", msg: "requested room does not exist" }];
  }

  const describe = (name: string) => ({
    name,
    max_participants: rooms.get(name) ?? 0,
    num_participants: api.countParticipants(name),
  });

  const server = createServer(async (request, response) => {
    const received = await read(request);
    requests.push(received);
    const failure = failures.shift();
    if (failure === "hang") return;
    const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
    const [status, body] = failure === undefined ? answer(received, token) : [failure, {}];
    // Connections that stay open would count as leaks.
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const api: LiveKitApi = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    rooms,
    timeouts,
    defaultTimeouts: { empty: 300, departure: 20 },
    addRoom: (name, maxParticipants) => addRoom(name, maxParticipants),
    closeRoom: (name) => void removeRoom(name, "ROOM_CLOSED"),
    failNext: (...answers) => void failures.push(...answers),
    onRoomCreated: (listener) => void createdListeners.push(listener),
    onRoomClosed: (listener) => void closedListeners.push(listener),
    countParticipants: () => 0,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return api;
}

async function read(request: IncomingMessage): Promise<ReceivedRequest> {
  const text = Buffer.concat(await request.toArray()).toString();
  return { method: request.url?.split("/").at(-1) ?? "", body: JSON.parse(text) };
}
