import { RunnerError } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import { hideNumbers } from "../../hide-numbers.ts";
import type { DailyCallListener } from "../daily-call.ts";
import {
  type PageFailure,
  type PageOrder,
  type PageRequest,
  recogniseAudio,
  recogniseMessage,
} from "./page-messages.ts";

/** The other end of a page's socket. */
export interface PageLink {
  /** Has the page do something; rejects with DAILY_CALL_FAILED, whose cause is the `PageFailure`, and as `end` says. */
  ask(request: PageRequest): Promise<unknown>;
  tell(order: PageOrder): void;
  sendAudio(samples: Int16Array): void;
  readonly bufferedBytes: number;
  /** Tells the listener nothing more. */
  mute(): void;
  /** The page is gone: what it is asked, now or later, fails with this error. */
  end(error: RunnerError): void;
}

interface Question {
  resolve(result: unknown): void;
  reject(error: RunnerError): void;
}

/** Reads a page's socket for `listener`. */
export function createPageLink(socket: WebSocket, listener: DailyCallListener): PageLink {
  const questions = new Map<number, Question>();
  const sources = new Map<number, { readonly participant: string; readonly track: string }>();
  let lastId = 0;
  let muted = false;
  let over: RunnerError | undefined;

  function read(text: string): void {
    const message = recogniseMessage(text);
    if (message === undefined) return;
    if ("id" in message) answer(message.id, message);
    else if (message.event === "source") {
      if ("ended" in message) sources.delete(message.number);
      else sources.set(message.number, message);
    } else if (muted) return;
    else if (message.event === "played") listener.played(message.mark);
    else listener.event(message.detail);
  }

  function answer(id: number, message: { readonly result: unknown } | { readonly error: PageFailure }): void {
    const question = questions.get(id);
    questions.delete(id);
    if ("error" in message) question?.reject(refused(message.error));
    else question?.resolve(message.result);
  }

  socket.on("message", (data, isBinary) => {
    if (!isBinary) return read(String(data));
    const audio = recogniseAudio(data as Buffer);
    const source = audio && sources.get(audio.number);
    if (source && !muted) listener.audio(source.participant, source.track, audio.frame);
  });
  // Its `close` follows.
  socket.on("error", () => undefined);

  const send = (message: object) => socket.send(JSON.stringify(message));
  return {
    ask(request) {
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        if (over) return reject(over);
        questions.set(id, { resolve, reject });
        send({ ...request, id });
      });
    },
    tell: send,
    sendAudio: ({ buffer, byteOffset, byteLength }) => socket.send(new Uint8Array(buffer, byteOffset, byteLength)),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    mute() {
      muted = true;
    },
    end(error) {
      over ??= error;
      for (const { reject } of questions.values()) reject(over);
      questions.clear();
    },
  };
}

function refused({ message, ...failure }: PageFailure): RunnerError {
  const said = hideNumbers(message);
  const words = failure.type === undefined ? said : `${failure.type}: ${said}`;
  const cause: PageFailure = { ...failure, message: said };
  return new RunnerError("DAILY_CALL_FAILED", `Daily refused: ${words}`, { status: 502, cause });
}
