import { startChild } from "./children.ts";
import { percentile, table } from "./figures.ts";

/** How long `POST /start` takes, one request after the other. */
export async function measureStart(requests: number): Promise<string> {
  const server = await startChild("./servers/runner.ts", 0);
  try {
    const { startUrl } = await server.ask<{ startUrl: string }>({ ask: "url" });
    const times: number[] = [];
    for (let request = 0; request < requests; request++) {
      const begin = performance.now();
      const reply = await fetch(startUrl, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      await reply.json();
      if (!reply.ok) throw new Error(`/start answered ${reply.status}`);
      times.push(performance.now() - begin);
    }
    const warm = times.slice(requests / 10);
    return table([
      ["POST /start", "ms"],
      ["p50", percentile(warm, 0.5).toFixed(2)],
      ["p99", percentile(warm, 0.99).toFixed(2)],
    ]);
  } finally {
    await server.stop();
  }
}
