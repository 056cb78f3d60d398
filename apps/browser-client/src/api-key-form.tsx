import { Button, Input } from "@pipecat-ai/voice-ui-kit";

/** Asks the person for the runner's API key. */
export function ApiKeyForm({ onKey }: { readonly onKey: (key: string) => void }) {
  return (
    <form
      className="api-key"
      onSubmit={(event) => {
        event.preventDefault();
        const key = new FormData(event.currentTarget).get("key");
        if (typeof key === "string" && key.trim() !== "") onKey(key);
      }}
    >
      <Input name="key" type="password" autoComplete="off" aria-label="API key" required />
      <Button type="submit">Use this key</Button>
    </form>
  );
}
