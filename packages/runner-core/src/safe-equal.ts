import { createHash, timingSafeEqual } from "node:crypto";

/** Compares two secrets, such as keys or signatures, in constant time. False when either is `undefined`. */
export function safeEqual(a: string | Uint8Array | undefined, b: string | Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && timingSafeEqual(digest(a), digest(b));
}

/** Equal lengths, as `timingSafeEqual` requires. */
function digest(secret: string | Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}
