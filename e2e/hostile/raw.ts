import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** One HTTP answer, as far as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection that sends what it is told, whether that is HTTP or not. */
export interface RawConnection {
  readonly socket: Socket;
  /** The answers that came so far, oldest first; those to HEAD are taken to have no body. */
  answers(): RawAnswer[];
  /** Everything that came. */
  received(): Buffer;
  /** Resolves, never rejects, when the connection is closed, whoever closed it. */
  readonly closed: Promise<void>;
}

/** Connects to the server, until the test is over at most. A connection that breaks is closed, and that is all. */
export async function dial(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  // A server may well reset the connection of someone who sends nonsense.
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const received = () => Buffer.concat(chunks);
  return { socket, received, answers: () => parseAnswers(received()), closed };
}

/** Sends bytes, and gives the answers once there are `count` of them, the server closed the connection, or `patienceMs` are over. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  count: number = Number.POSITIVE_INFINITY,
  patienceMs = 10_000,
): Promise<RawAnswer[]> {
  const { socket, answers, closed } = await dial(port);
  const enough = new Promise<void>((resolve) => {
    if (Number.isFinite(count)) socket.on("data", () => answers().length >= count && resolve());
    socket.setTimeout(patienceMs, resolve);
  });
  socket.write(bytes);
  await Promise.race([enough, closed]);
  socket.destroy();
  await closed;
  return answers();
}

/** A request's head, with `Host` and the given lines. */
export function head(requestLine: string, ...lines: string[]): string {
  return [`${requestLine} HTTP/1.1`, "Host: 127.0.0.1", ...lines, "", ""].join("\r\n");
}

function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let offset = 0; ; ) {
    const end = bytes.indexOf("\r\n\r\n", offset);
    if (end < 0) return answers;
    const [statusLine = "", ...lines] = bytes.toString("latin1", offset, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    const headers = Object.fromEntries(lines.map((line) => [line.split(":")[0]?.toLowerCase(), line.split(": ")[1]]));
    const length = Number(headers["content-length"] ?? 0);
    if (Number.isNaN(status) || bytes.length < end + 4 + length) return answers;
    const body = bytes.toString("utf8", end + 4, end + 4 + length);
    // 100 Continue is no answer yet.
    if (status > 100) answers.push({ status, headers, body });
    offset = end + 4 + length;
  }
}
