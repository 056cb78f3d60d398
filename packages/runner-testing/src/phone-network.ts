/** What happens to a caller's audio on its way. */
export interface NetworkOptions {
  /** One way, both ways, in ms. Default 0. */
  readonly delayMs?: number;
  /** Every n-th piece of audio is lost. Default: none. */
  readonly dropEvery?: number;
  /** Every n-th piece of audio comes after the one that follows it. Default: none. */
  readonly swapEvery?: number;
}

/** Carries messages. */
export interface Network {
  /** A piece of the caller's voice, which may get lost or overtaken. */
  audio(deliver: () => void): void;
  /** Anything else, in either direction. */
  message(deliver: () => void): void;
  /** What is under way is lost. */
  close(): void;
}

export function createNetwork({ delayMs = 0, dropEvery = 0, swapEvery = 0 }: NetworkOptions = {}): Network {
  const underWay = new Set<NodeJS.Timeout>();
  let pieces = 0;
  let held: (() => void) | undefined;

  function message(deliver: () => void): void {
    if (delayMs === 0) return void deliver();
    const timer = setTimeout(() => {
      underWay.delete(timer);
      deliver();
    }, delayMs);
    underWay.add(timer);
  }

  return {
    message,
    audio(deliver) {
      pieces += 1;
      if (dropEvery > 0 && pieces % dropEvery === 0) return;
      if (swapEvery > 0 && pieces % swapEvery === 0) {
        held = deliver;
        return;
      }
      message(deliver);
      if (held) message(held);
      held = undefined;
    },
    close() {
      for (const timer of underWay) clearTimeout(timer);
      underWay.clear();
      held = undefined;
    },
  };
}
