import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";

/**
 * For tests: the rooms of a Daily account on this machine, with the call machine that daily-js loads to be in them. Real
 * browsers talk in them by real WebRTC; everything that Daily's own servers do is played.
 */
export interface RoomServer extends AsyncDisposable {
  /** Where rooms are: a room's URL is this and its name. */
  readonly origin: string;
  /** Where daily-js loads the call machine from. */
  readonly bundleUrl: string;
  /** What was asked for: `{action: "send-dtmf", fields: {…}}`. */
  readonly asked: readonly Asked[];
  /** How often the call machine was loaded. */
  readonly loads: number;
  /** How many were gone without having left. */
  readonly lost: number;
  /** Tells everybody in a room of an event. */
  announce(room: string, event: { readonly action: string; readonly [field: string]: unknown }): void;
  /** What the requests that are answered are answered with; nothing unless said. */
  answer(respond: (asked: Asked) => Readonly<Record<string, unknown>> | undefined): void;
  /** Who is in a room, by name. */
  names(room: string): readonly string[];
  /** The room is gone, and everybody out of it. */
  end(room: string): void;
}

export interface Asked {
  readonly action: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RoomServerOptions {
  /** Says, as Daily does, why somebody is not let in; `undefined` lets them in. */
  refuse?(room: string, token: string | undefined): { readonly type: string; readonly text: string } | undefined;
  /** The largest app message, as the room tells when it lets somebody in; daily-js takes 4,096 characters unless told. */
  readonly maxMessageSize?: number;
  /** With this, whoever joins is told of the others at once, as Daily may do it, and that they are in when it resolves. */
  letIn?(): Promise<void>;
}

interface Member {
  readonly id: string;
  readonly room: string;
  readonly socket: WebSocket;
  readonly participant: Readonly<Record<string, unknown>>;
}

type Message = Readonly<Record<string, unknown>>;

export async function openRoomServer(options: RoomServerOptions = {}): Promise<RoomServer> {
  const { refuse, maxMessageSize, letIn } = options;
  const members = new Set<Member>();
  const asked: Asked[] = [];
  let respond: (asked: Asked) => Readonly<Record<string, unknown>> | undefined = () => undefined;
  let loads = 0;
  let lost = 0;

  const server = createServer((request, response) => {
    if (request.url !== "/static/call-machine-object-bundle.js") {
      response.writeHead(404).end();
      return;
    }
    loads += 1;
    // Read each time: it is loaded by a page of another origin.
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
      // Closed by nobody.
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
      user_id: id,
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
    if (letIn) {
      send(member, { ...welcome, kind: "others" });
      void letIn().then(() => send(member, welcome));
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
    } else if (message.kind === "ask") {
      const request = { action: String(message.action), fields: Object(message.fields) as Asked["fields"] };
      asked.push(request);
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
    asked,
    get loads() {
      return loads;
    },
    get lost() {
      return lost;
    },
    announce(room, event) {
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
