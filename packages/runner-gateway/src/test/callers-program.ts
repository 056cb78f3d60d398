/**
 * Callers in a process of their own: `URL COUNT AT-A-TIME after-open|with-request`. Each opens a WebSocket, sends a message as soon as it
 * is open, or in the packet of the request, and waits for its echo. Prints how many got it.
 */
import { once } from "node:events";
import { connect } from "node:net";

const [, , address = "", count = "", atATime = "", when] = process.argv;
const { hostname, port, host, pathname } = new URL(address);
const head = [
  `GET ${pathname} HTTP/1.1`,
  `Host: ${host}`,
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}`,
];
const request = Buffer.from(`${head.join("\r\n")}\r\n\r\n`);
/** The text `"hello"`, masked with 0. */
const message = Buffer.concat([Buffer.from([0x81, 0x87, 0, 0, 0, 0]), Buffer.from('"hello"')]);

async function call(): Promise<void> {
  const socket = connect(Number(port), hostname).setNoDelay();
  const isTogether = when === "with-request";
  socket.write(isTogether ? Buffer.concat([request, message]) : request);
  let received = "";
  const receive = async () => {
    const [chunk] = (await once(socket, "data", { signal: AbortSignal.timeout(20_000) })) as [Buffer];
    received += chunk.toString("latin1");
  };
  try {
    if (!isTogether) {
      while (!received.includes("\r\n\r\n")) await receive();
      socket.write(message);
    }
    while (!received.includes('"hello"')) await receive();
  } finally {
    socket.destroy();
  }
}

let [begun, echoed] = [0, 0];
async function keepCalling(): Promise<void> {
  while (begun++ < Number(count)) {
    await call().then(
      () => echoed++,
      () => undefined,
    );
  }
}
await Promise.all(Array.from({ length: Number(atATime) }, keepCalling));
console.log(echoed);
