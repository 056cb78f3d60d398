const name = "pipecat-runner-api-key";

/** Keeps the runner's API key for as long as the tab is open, and no longer. */
export function keepApiKey(key: string): void {
  sessionStorage.setItem(name, key.trim());
}

/** What a request to the runner sends to be let in: nothing, until a key was given. */
export function apiKeyHeaders(): Headers {
  const key = sessionStorage.getItem(name);
  return new Headers(key ? { Authorization: `Bearer ${key}` } : {});
}
