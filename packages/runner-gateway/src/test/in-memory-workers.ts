import type { ChildProcess } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pipeline } from "node:stream";
import { createRunner, type Runner, type RunnerLogger, type RunnerOptions } from "@pipecat-ts/runner-host";
import { serveWorker, type WorkerChannel } from "../worker.ts";
import { type StartWorker, superviseWorker } from "../worker-process.ts";

/** Workers that run in this process, so that a test sees their runners. */
export interface InMemoryWorkers {
  readonly start: StartWorker;
  /** The runners, oldest first. */
  readonly runners: readonly Runner[];
  /** The running workers by number. */
  readonly running: ReadonlyMap<number, InMemoryWorker>;
}

/** Another socket with the same caller, like the one that the other process would get. */
async function takeOver(socket: Socket): Promise<Socket> {
  const relay = createServer();
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const near = connect((relay.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(relay, "connection")) as [Socket];
  relay.close();
  // The gateway has stopped reading in a way that the socket does not know.
  const { _handle } = socket as unknown as { _handle: { readStart(): void } | null };
  pipeline(socket, near, socket, () => {
    near.destroy();
    socket.destroy();
  });
  _handle?.readStart();
  return far;
}

export interface InMemoryWorker {
  /** Its Unix socket. */
  readonly path: string;
  readonly runner: Runner | undefined;
  /** Ends the worker like a signal does. Its sessions are not told. */
  crash(stderr?: string): void;
  /** Keeps messages from and to the worker back, as a blocked event loop does, until the returned function is called. */
  block(): () => void;
}

/** `options` are those of each worker's runner. */
export function createInMemoryWorkers(
  options: (worker: number) => Omit<RunnerOptions, "logger"> & { readonly logger: RunnerLogger },
): InMemoryWorkers {
  const runners: Runner[] = [];
  const running = new Map<number, InMemoryWorker>();
  return {
    runners,
    running,
    start(open, events) {
      const number = open.owner.worker;
      const stderr = new EventEmitter();
      const child = Object.assign(new EventEmitter(), {
        pid: undefined,
        connected: true,
        exitCode: null as number | null,
        signalCode: null as NodeJS.Signals | null,
        stderr,
        send: toWorker,
        kill: () => end(null, "SIGKILL"),
      });
      const channel = Object.assign(new EventEmitter(), {
        connected: true,
        send(message: unknown, _handle: unknown, _options: unknown, sent: () => void) {
          const copy = JSON.parse(JSON.stringify(message));
          pass(() => {
            if (child.connected) child.emit("message", copy);
            sent();
          });
          return true;
        },
      });
      let runner: Runner | undefined;
      let kept: (() => void)[] | undefined;

      function toWorker(message: unknown, ...rest: readonly unknown[]): boolean {
        const socket = rest.length > 1 ? (rest[0] as Socket) : undefined;
        const sent = rest.at(-1) as () => void;
        const copy = JSON.parse(JSON.stringify(message));
        const deliver = () => {
          if (!child.connected) return sent();
          if (!socket) {
            channel.emit("message", copy);
            return sent();
          }
          socket.once("close", sent);
          void takeOver(socket).then((taken) => channel.emit("message", copy, taken));
        };
        pass(deliver);
        return true;
      }

      function pass(deliver: () => void): void {
        if (kept) kept.push(deliver);
        else setImmediate(deliver);
      }

      function end(code: number | null, signal: NodeJS.Signals | null): void {
        if (!child.connected) return;
        Object.assign(child, { connected: false, exitCode: code, signalCode: signal });
        channel.connected = false;
        running.delete(number);
        child.emit("close", code, signal);
      }

      running.set(number, {
        path: open.path,
        get runner() {
          return runner;
        },
        crash(text = "") {
          stderr.emit("data", Buffer.from(text));
          end(null, "SIGKILL");
          // Its sockets are closed with the process.
          void runner?.close();
        },
        block() {
          kept = [];
          return () => {
            for (const deliver of kept ?? []) setImmediate(deliver);
            kept = undefined;
          };
        },
      });
      void serveWorker(channel as unknown as WorkerChannel, async (more) => {
        const { logger, ...rest } = options(number);
        runner = createRunner({ ...rest, logger, ...more });
        runners.push(runner);
        return { runner, logger, notes: { worker: number } };
      }).then(() => setImmediate(end, 0, null));
      return superviseWorker(child as unknown as ChildProcess, open, events);
    },
  };
}
