import type { Call, CallQuality, CallView } from "./call/call.ts";
import { type CallState, idle, isBusy } from "./call/call-state.ts";
import { type LoggedEvent, logged } from "./call/event-log.ts";
import type { Transcript } from "./call/transcript.ts";
import { notLoaded } from "./notices.ts";
import { createStore } from "./store.ts";

/** The calls of this page, one after the other. What they show stays until the next one. */
export class Phone {
  readonly state = createStore<CallState>(idle);
  readonly transcript = createStore<Transcript>([]);
  readonly events = createStore<readonly LoggedEvent[]>([]);
  readonly quality = createStore<CallQuality>({});
  #call: Call | undefined;
  #canceled = false;
  #generation = 0;

  /** Loads what calls need, so that Connect is fast. Connect tries again if this fails. */
  prepare(): void {
    loadCalls().catch(() => undefined);
  }

  async connect(transport: string): Promise<void> {
    if (isBusy(this.state.get().phase)) return;
    const { microphoneId } = this.state.get();
    this.#canceled = false;
    this.state.set({ ...idle, phase: "starting", microphoneId });
    this.transcript.set([]);
    this.events.set([]);
    this.quality.set({});
    try {
      const { Call, consoles } = await loadCalls();
      const console = consoles[transport];
      if (this.#canceled || !console) return this.state.set(idle);
      this.#call = new Call(console, this.#view(), microphoneId);
    } catch {
      // The runner stopped, or another version of the page is installed.
      return this.state.set({ ...idle, phase: "ended", notice: notLoaded });
    }
    await this.#call.run();
  }

  hangUp(): void {
    this.#canceled = true;
    this.#call?.hangUp();
  }

  /** The current or last call. */
  get call(): Call | undefined {
    return this.#call;
  }

  /** What the next call may change. Nothing that happens after the start of another one. */
  #view(): CallView {
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    return {
      change: (patch) => current() && this.state.set({ ...this.state.get(), ...patch }),
      transcribe: (change) => current() && this.transcript.set(change(this.transcript.get())),
      log: (type, data) => current() && this.events.set(logged(this.events.get(), type, data, Date.now())),
      measure: (quality) => current() && this.quality.set({ ...this.quality.get(), ...quality }),
    };
  }
}

/** In a file of its own: more than half of the page's code. */
function loadCalls() {
  return import("./call/index.ts");
}
