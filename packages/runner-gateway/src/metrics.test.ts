import type { MetricValues } from "@pipecat-ts/runner-host";
import { expect, test } from "vitest";
import { createGatewayMetrics } from "./metrics.ts";
import type { WorkerProcess } from "./worker-process.ts";

test("a worker that ends while its metrics are read is counted once", async () => {
  const values = [
    { name: "calls_total", help: "Calls.", type: "counter", aggregator: "sum", values: [{ value: 1, labels: {} }] },
  ];
  const worker = {
    async metrics() {
      metrics.workerExited({ cause: "stopped", code: 0, signal: null }, values as unknown as MetricValues);
      return values as unknown as MetricValues;
    },
  };
  const counts = { starting: 0, idle: 0, busy: 1, retiring: 0 };
  const pool = { counts, all: () => [worker as WorkerProcess] };
  const metrics = createGatewayMetrics({ values: async () => [] }, pool);
  expect(await metrics.text()).toContain("calls_total 1\n");
});
