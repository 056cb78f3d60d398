/** The calls that were seen lately, so that a webhook that comes again, or late, does not begin a call that is over. */
export interface RecentCalls {
  /** Whether the call was not seen yet. From now on it was. */
  isNew(callId: string): boolean;
}

/** WhatsApp itself ends a call that nobody takes within a minute; an older one than these is refused there. */
const limit = 10_000;

export function createRecentCalls(): RecentCalls {
  const seen = new Set<string>();
  return {
    isNew(callId) {
      if (seen.has(callId)) return false;
      seen.add(callId);
      for (const oldest of seen) {
        if (seen.size <= limit) break;
        seen.delete(oldest);
      }
      return true;
    },
  };
}
