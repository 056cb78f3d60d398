import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { readToken } from "./daily-api.ts";

/**
 * A local replacement for Daily's servers: the signaling of rooms, and a fake call machine for daily-js to load. Browsers in
 * a room exchange audio over real WebRTC connections.
 */
export interface RoomServer extends AsyncDisposable {
  /** The URL of a room is `{origin}/{name}`. */
  readonly origin: string;
  /** The URL of the folder with the call machine. */
  readonly bundleUrl: string;
  /** The received requests: `{action: "send-dtmf", fields: {…}}`. */
  readonly requests: readonly RoomRequest[];
  /** How often the call machine was loaded. */
  readonly loads: number;
  /** How many participants disconnected without leaving. */
  readonly lost: number;
  /** Sends an event to all participants of a room. */
  broadcast(room: string, event: { readonly action: string; readonly [field: string]: unknown }): void;
  /** Sets the answers to requests. Default: `undefined`. */
  answer(respond: (request: RoomRequest) => Readonly<Record<string, unknown>> | undefined): void;
  /** The names of the participants of a room. */
  names(room: string): readonly string[];
  /** Ejects all participants of a room. */
  end(room: string): void;
}

export interface RoomRequest {
  readonly action: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RoomServerOptions {
  /** Returns Daily's reason for refusing a participant; `undefined` admits it. */
  refuse?(room: string, token: string | undefined): { readonly type: string; readonly text: string } | undefined;
  /** The largest app message that the room allows. The default of daily-js is 4,096 characters. */
  readonly maxMessageSize?: number;
  /** Delays the admission until it resolves. The other participants are announced before, which Daily may do too. */
  admission?(): Promise<void>;
}

interface Member {
  readonly id: string;
  readonly room: string;
  readonly socket: WebSocket;
  readonly participant: Readonly<Record<string, unknown>>;
}

type Message = Readonly<Record<string, unknown>>;

export async function openRoomServer(options: RoomServerOptions = {}): Promise<RoomServer> {
  const { refuse, maxMessageSize, admission } = options;
  const members = new Set<Member>();
  const requests: RoomRequest[] = [];
  let respond: (request: RoomRequest) => Readonly<Record<string, unknown>> | undefined = () => undefined;
  let loads = 0;
  let lost = 0;

  const server = createServer((request, response) => {
    if (request.url !== "/static/call-machine-object-bundle.js") {
      response.writeHead(404).end();
      return;
    }
    loads += 1;
    // A page of another origin loads it.
    response.writeHead(200, { "content-type": "text/javascript", "access-control-allow-origin": "*" });
    response.end(readFileSync(join(import.meta.dirname, "call-machine-object-bundle.js")));
  });
  const sockets = new WebSocketServer({ server, path: "/signal" });

  const send = ({ socket }: Pick<Member, "socket">, message: Message) => socket.send(JSON.stringify(message));
  const inRoom = (room: string) => [...members].filter((member) => member.room === room);

  sockets.on("connection", (socket) => {
    let member: Member | undefined;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as Message;
      if (member) serve(member, message);
      else member = admit(socket, message);
    });
    socket.on("close", (code) => {
      if (!member || !members.delete(member)) return;
      // 1006: closed without a close frame.
      if (code === 1006) lost += 1;
      for (const other of inRoom(member.room)) send(other, { kind: "left", id: member.id });
    });
  });

  function admit(socket: WebSocket, message: Message): Member | undefined {
    const { room, token, userName, userData } = message as {
      readonly room: string;
      readonly token?: string;
      readonly userName?: string;
      readonly userData?: unknown;
    };
    const refusal = refuse?.(room, token);
    if (refusal) {
      send({ socket }, { kind: "refused", ...refusal });
      return undefined;
    }
    const id = randomUUID();
    const participant = {
      session_id: id,
      user_id: token === undefined ? id : (readToken(token).user_id ?? id),
      user_name: userName ?? "",
      userData,
      local: false,
      owner: false,
      joined_at: new Date().toISOString(),
      permissions: { hasPresence: true, canSend: true },
    };
    const others = inRoom(room);
    const member = { id, room, socket, participant };
    members.add(member);
    const welcome = { kind: "welcome", participant, others: others.map((other) => other.participant), maxMessageSize };
    if (admission) {
      send(member, { ...welcome, kind: "others" });
      void admission().then(() => send(member, welcome));
    } else send(member, welcome);
    for (const other of others) send(other, { kind: "joined", participant });
    return member;
  }

  function serve(member: Member, message: Message): void {
    const others = inRoom(member.room).filter((other) => other !== member);
    if (message.kind === "signal") {
      for (const other of others) if (other.id === message.to) send(other, { ...message, from: member.id });
    } else if (message.kind === "app") {
      for (const other of others) {
        if (message.to === "*" || message.to === other.id)
          send(other, { kind: "app", data: message.data, id: member.id });
      }
    } else if (message.kind === "eject") {
      for (const other of others) if (other.id === message.id) eject(other);
    } else if (message.kind === "request") {
      const request = { action: String(message.action), fields: Object(message.fields) as RoomRequest["fields"] };
      requests.push(request);
      const fields = respond(request);
      if (message.callbackStamp) send(member, { kind: "answer", callbackStamp: message.callbackStamp, fields });
      else if (fields) send(member, { kind: "event", event: fields });
    }
  }

  function eject(member: Member): void {
    send(member, { kind: "ejected" });
    member.socket.close();
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    origin,
    bundleUrl: `${origin}/static`,
    requests,
    get loads() {
      return loads;
    },
    get lost() {
      return lost;
    },
    broadcast(room, event) {
      for (const member of inRoom(room)) send(member, { kind: "event", event });
    },
    answer(how) {
      respond = how;
    },
    names: (room) => inRoom(room).map(({ participant }) => String(participant.user_name)),
    end(room) {
      for (const member of inRoom(room)) eject(member);
    },
    async [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
