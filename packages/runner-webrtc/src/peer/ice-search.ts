import type { RTCIceTransport } from "werift";

/**
 * Resolves once ICE has found a way. If the caller restarts ICE before that, the engine searches twice, and tells the end to
 * one of the two alone.
 */
export async function findWay(ice: RTCIceTransport): Promise<void> {
  const { promise: found, resolve } = Promise.withResolvers<void>();
  const { unSubscribe } = ice.onStateChange.subscribe((state) => {
    if (state === "connected") resolve();
  });
  try {
    await Promise.race([ice.start(), found]);
  } finally {
    unSubscribe();
  }
}
