import { type FormEvent, useEffect, useRef } from "react";
import { storeApiKey } from "../api.ts";

/** Asks for the runner's API key, and calls again with it. `wrong`: the runner rejected the last one. */
export function KeyForm({ wrong, onKey }: { readonly wrong: boolean; readonly onKey: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    if (key === "") return;
    storeApiKey(key);
    onKey();
  };
  return (
    <form className="key-form" onSubmit={submit}>
      <label htmlFor="api-key">API key</label>
      <div className="field">
        <input
          ref={input}
          id="api-key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          aria-invalid={wrong}
          aria-describedby="api-key-hint"
        />
        <button type="submit" className="button primary">
          Use this key
        </button>
      </div>
      <p id="api-key-hint" className="hint">
        {wrong
          ? "Check it for typing errors. The runner's operator sets it with --api-key or PIPECAT_RUNNER_API_KEY."
          : "The runner's operator sets it with --api-key or PIPECAT_RUNNER_API_KEY. It is stored until you close this tab."}
      </p>
    </form>
  );
}
