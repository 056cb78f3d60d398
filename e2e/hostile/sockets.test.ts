import { once } from "node:events";
import { Agent, request } from "node:http";
import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import type { WebSocketCaller } from "../../packages/runner-websocket/src/test/fake-caller.ts";
import { useGround } from "./ground.ts";
import { dial, exchange, head, type RawConnection } from "./raw.ts";
import { handshake } from "./raw-websocket.ts";

const ground = useGround();

/** The handshake with one header left out or replaced. */
function handshakeBut(name: string, ...instead: string[]): string[] {
  return [...handshake.filter((line) => !line.startsWith(`${name}:`)), ...instead];
}

test("handshakes that are none are answered 400", async () => {
  const handshakes: readonly (readonly string[])[] = [
    handshakeBut("Sec-WebSocket-Key"),
    handshakeBut("Sec-WebSocket-Key", "Sec-WebSocket-Key: short"),
    [...handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    handshakeBut("Sec-WebSocket-Version"),
    handshakeBut("Sec-WebSocket-Version", "Sec-WebSocket-Version: 7"),
    [...handshake, "Sec-WebSocket-Protocol: ,,a,a"],
    [...handshake, "Sec-WebSocket-Protocol: \u0001"],
    [...handshake, "X-Null: a\0b"],
    [...handshake, "Content-Length: two"],
  ];
  for (const lines of handshakes) await expectRefusal("GET /ws-client", lines, 400, "REQUEST_INVALID");
  for (const method of ["POST", "PUT", "DELETE", "HEAD"]) {
    await expectRefusal(`${method} /ws-client`, handshake, 400, "REQUEST_INVALID");
  }
});

test("sockets at paths that do not exist, and of sessions that do not, are answered 404", async () => {
  const nowhere = ["/", "//", "//x/ws-client", "/ws-client//", "/ws-client/a/b", "/ws-client/../status", "/start", "*"];
  for (const path of nowhere) await expectRefusal(`GET ${path}`, handshake, 404, "NOT_FOUND");
  const nobody = ["nobody", "%", "%00", "%ff", "__proto__", "constructor", "x".repeat(8_000), "'--", "{}"];
  for (const id of nobody) await expectRefusal(`GET /ws-client/${id}`, handshake, 404, "SESSION_UNKNOWN");
  const asked = handshakeBut("Connection"); // without it no upgrade is asked for
  await expectRefusal("GET /ws-client", asked, 404, "NOT_FOUND");
});

async function expectRefusal(line: string, headers: readonly string[], status: number, code: string): Promise<void> {
  const [answer] = await exchange(ground.server.port, head(line, ...headers), 1);
  expect(answer, `${line} ${headers.join(", ")}`).toMatchObject({ status });
  expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code });
}

test("a thousand refused sockets, at once", async () => {
  const paths = ["/nowhere", "/ws-client/nobody"];
  const requests = Array.from({ length: 1_000 }, (_, index) => head(`GET ${paths[index % 2]}`, ...handshake));
  const answers = await Promise.all(requests.map((bytes) => exchange(ground.server.port, bytes)));
  expect(new Set(answers.map((each) => each.map(({ status }) => status).join()))).toEqual(new Set(["404"]));
});

test("a thousand connections that never speak", async () => {
  const connections: RawConnection[] = [];
  for (let count = 0; count < 1_000; count++) connections.push(await dial(ground.server.port));
  expect(await ground.server.start()).toMatchObject({ status: 200 }); // behind them in the line
  const { handles, liveBytes } = await ground.server.ask("holdings");
  expect(handles.TCPSocketWrap).toBe((ground.before.handles.TCPSocketWrap ?? 0) + 1_000);
  expect((liveBytes - ground.before.liveBytes) / 1_000, "bytes for each connection").toBeLessThan(20_000);
  for (const { socket } of connections) socket.destroy();
});

test("a thousand callers who never speak", async () => {
  const { server, before } = ground;
  const callers: WebSocketCaller[] = [];
  for (let count = 0; count < 1_000; count++) callers.push(await ground.call());
  expect(await server.ask("counts")).toEqual({ pending: 0, active: 1_001 });
  const { liveBytes } = await server.ask("holdings");
  expect((liveBytes - before.liveBytes) / 1_000, "bytes for each caller").toBeLessThan(200_000);
  for (const caller of callers) caller.drop();
  await until("their sessions are over", () => reasons("caller-left") === 1_000, 10_000);
});

test("five thousand starts that nobody connects to", async () => {
  const { server, before } = ground;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const body = JSON.stringify({ body: "x".repeat(10_000) });
  const start = async () => {
    const outgoing = request(`http://127.0.0.1:${server.port}/start`, { method: "POST", agent });
    outgoing.end(body);
    const [answer] = await once(outgoing, "response");
    answer.resume();
    await once(answer, "end");
    return answer.statusCode;
  };
  for (let started = 0; started < 5_000; started += 50) {
    const statuses = await Promise.all(Array.from({ length: 50 }, start));
    expect(new Set(statuses)).toEqual(new Set([200]));
  }
  agent.destroy();
  expect(await server.ask("counts")).toEqual({ pending: 1_000, active: 1 });
  const { liveBytes } = await server.ask("holdings");
  expect((liveBytes - before.liveBytes) / 1_000, "bytes for each waiting session").toBeLessThan(30_000);
  await until("the log says so", () => reasons("evicted") === 4_000, 5_000);
  const first = server.log.find(({ reason }) => reason === "evicted");
  await expectRefusal(`GET /ws-client/${first?.session}`, handshake, 404, "SESSION_UNKNOWN");
});

function reasons(reason: string): number {
  return ground.server.log.filter((line) => line.reason === reason).length;
}
