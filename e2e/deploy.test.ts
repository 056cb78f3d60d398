import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import type { OptionDefinition, TransportPlugin } from "@pipecat-ts/runner-core";
import { runnerFlags } from "@pipecat-ts/runner-host";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { describe, expect, test, vi } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { dockerfileText } from "../packages/create-pipecat-bot/src/project-texts.ts";
import { commandFlags } from "../packages/runner-cli/src/flags.ts";
import { fleetFlags } from "../packages/runner-fleet/src/options.ts";
import { isolationFlags } from "../packages/runner-gateway/src/options.ts";

const read = (path: string) => readFileSync(new URL(`../deploy/${path}`, import.meta.url), "utf8");
const chart = fileURLToPath(new URL("../deploy/helm", import.meta.url));
const templates = readdirSync(`${chart}/templates`).map((name) => `helm/templates/${name}`);

const files = {
  "voice-bot.service": read("voice-bot.service"),
  "nginx.conf": read("nginx.conf"),
  Caddyfile: read("Caddyfile"),
  "kubernetes.yaml": read("kubernetes.yaml"),
  "kubernetes-fleet.yaml": read("kubernetes-fleet.yaml"),
  "helm/values.yaml": read("helm/values.yaml"),
  "helm/templates": templates.map(read).join("\n"),
  "Dockerfile with npm": dockerfileText("npm"),
  "Dockerfile with pnpm": dockerfileText("pnpm"),
};

/** The options of the runner and of the transport whose options these files set. */
const definitions = [
  runnerFlags,
  commandFlags,
  isolationFlags,
  fleetFlags,
  (webrtc as TransportPlugin).options ?? {},
].flatMap((table) => Object.values<OptionDefinition>(table));
const port = runnerFlags.port.default;
const drainSeconds = runnerFlags.shutdownTimeout.default ?? 0;

/** Flags of docker, kubectl and package managers. */
const otherFlags =
  "from from-env-file patch-file init env-file interval timeout start-period prod omit frozen-lockfile".split(" ");

test.each(Object.entries(files))("%s names only flags and variables that exist", (_, text) => {
  const known = [...definitions.flatMap(({ flag = [], env = [] }) => [flag, env].flat()), ...otherFlags];
  const named = [...text.matchAll(/(?<![\w-])--([a-z][a-z-]+)|\b(PIPECAT_[A-Z_]+)/g)].map(
    ([, flag, env]) => flag ?? env,
  );
  expect(named.filter((name) => !known.includes(`${name}`))).toEqual([]);
});

test.each(Object.entries(files))("%s uses the runner's port", (_, text) => {
  const ports = [...text.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)|(?:EXPOSE|containerPort:) (\d+)/g)];
  for (const [, address, open] of ports) expect(Number(address ?? open)).toBe(runnerFlags.port.default);
});

test.each(["nginx.conf", "Caddyfile"] as const)(
  "%s allows uploads of 50 MiB, and bounds idle connections below those of the runner",
  (name) => {
    expect(files[name]).toMatch(/client_max_body_size 51m;|max_size 51MiB/);
    expect(files[name]).toMatch(/keepalive_timeout 60s;|keepalive 60s/);
  },
);

test.each([
  ["nginx.conf", /location (~\*) (\S+) \{/],
  ["Caddyfile", /path_regexp (\(\?i\))(\S+)/],
] as const)("%s protects the operator's paths in every spelling that the runner accepts", (name, pattern) => {
  const [, ignoresCase, text = ""] = pattern.exec(files[name]) ?? [];
  const operator = new RegExp(text, ignoresCase ? "i" : "");
  for (const path of ["/metrics", "/metrics/", "/Metrics", "/sessions", "/sessions/", "/RELOAD"])
    expect(operator.test(path), path).toBe(true);
  for (const path of ["/sessions/1", "/metrics2", "/livez"]) expect(operator.test(path), path).toBe(false);
});

test("Caddy does not close calls when it reloads its configuration, until they would be drained", () => {
  const [, minutes] = /stream_close_delay (\d+)m/.exec(files.Caddyfile) ?? [];
  expect(Number(minutes) * 60).toBeGreaterThan(drainSeconds);
});

test("systemd waits longer than the runner drains, and signals the runner only", () => {
  const unit = files["voice-bot.service"];
  const settings = new Map([...unit.matchAll(/^([A-Za-z]+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  expect(Number(settings.get("TimeoutStopSec"))).toBeGreaterThan(drainSeconds + 10);
  expect(settings.get("KillMode")).toBe("mixed");
  expect(settings.get("LimitNOFILE")).toBe("65536");
});

describe("kubernetes.yaml", () => {
  const [deployment, service] = parseAllDocuments(files["kubernetes.yaml"]).map((each) => each.toJS());
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;
  const variable = (name: string) => container.env.find((each: { readonly name: string }) => each.name === name)?.value;

  test("a pod has time for preStop and the drain", () => {
    const [, seconds] = container.lifecycle.preStop.exec.command;
    expect(Number(variable("PIPECAT_RUNNER_SHUTDOWN_TIMEOUT"))).toBe(drainSeconds);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds + Number(seconds) + 10);
  });

  test("probes ask the paths of the runner, and the Service finds the pods and their port", () => {
    expect(container.livenessProbe.httpGet).toEqual({ path: "/livez", port: "http" });
    expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "http" });
    expect(container.ports).toEqual([{ name: "http", containerPort: port }]);
    expect(service.spec.ports[0].targetPort).toBe("http");
    expect(service.spec.selector).toEqual(deployment.spec.template.metadata.labels);
    expect(deployment.spec.selector.matchLabels).toEqual(service.spec.selector);
  });

  test("the user is the one of the image", () => {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
  });

  test("texts of the environment are strings, because Kubernetes rejects numbers", () => {
    for (const { value } of container.env) expect(value).toBeTypeOf("string");
    expect(variable("PIPECAT_UDP_PORTS")).toMatch(/^\d+-\d+$/);
  });
});

test("kubernetes-fleet.yaml changes the Deployment of kubernetes.yaml, and scales it at 70 % of its calls", () => {
  const [deployment] = parseAllDocuments(files["kubernetes.yaml"]).map((each) => each.toJS());
  const [patch, scaled] = parseAllDocuments(files["kubernetes-fleet.yaml"]).map((each) => each.toJS());
  const [container] = deployment.spec.template.spec.containers;
  expect(patch.spec.template.spec.containers[0].name).toBe(container.name);
  expect(scaled.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
  const { value } = container.env.find(({ name }: { readonly name: string }) => name === "PIPECAT_RUNNER_MAX_SESSIONS");
  expect(Number(scaled.spec.triggers[0].metadata.threshold)).toBe(0.7 * Number(value));
});

describe("Helm chart", () => {
  const text = files["helm/templates"];
  const values = parse(files["helm/values.yaml"]);

  /** `{a: {b: 1}}` has the path `a.b`. Kubernetes knows the fields of `resources`. */
  function pathsOf(value: object, prefix = ""): string[] {
    return Object.entries(value).flatMap(([name, each]) => {
      const isGroup = typeof each === "object" && !Array.isArray(each) && name !== "resources";
      return isGroup ? pathsOf(each, `${prefix}${name}.`) : [`${prefix}${name}`];
    });
  }

  test("templates use each value, and no other", () => {
    const used = [...text.matchAll(/(?:\$values|\.Values)\.([a-z]\w*(?:\.\w+)*)/gi)].map(([, path]) => path);
    expect([...new Set(used)].sort()).toEqual(pathsOf(values).sort());
  });

  test("its defaults are those of kubernetes.yaml", () => {
    const [deployment] = parseAllDocuments(files["kubernetes.yaml"]).map((each) => each.toJS());
    const [container] = deployment.spec.template.spec.containers;
    const variables = Object.fromEntries(
      container.env.map(({ name, value }: { readonly name: string; readonly value: string }) => [name, value]),
    );
    expect(values).toMatchObject({
      image: container.image,
      publicUrl: variables.PIPECAT_RUNNER_PUBLIC_URL,
      replicas: deployment.spec.replicas,
      maxSessions: Number(variables.PIPECAT_RUNNER_MAX_SESSIONS),
      shutdownTimeout: Number(variables.PIPECAT_RUNNER_SHUTDOWN_TIMEOUT),
      network: { host: deployment.spec.template.spec.hostNetwork, udpPorts: variables.PIPECAT_UDP_PORTS },
      resources: container.resources,
    });
  });

  test("KEDA counts the sessions of this release only, by a label that the PodMonitor sets, and adds a pod at one or more", () => {
    const [, query = "", threshold = ""] = /query: (.+)\n +threshold: (.+)\n/.exec(text) ?? [];
    expect(query).toContain('app_kubernetes_io_instance="{{ .Release.Name }}"');
    expect(query).not.toContain("=~");
    expect(text).toContain("podTargetLabels: [app.kubernetes.io/instance]");
    expect(text).toContain("app.kubernetes.io/instance: {{ .Release.Name }}");
    expect(threshold).toMatch(/^\{\{ max 1 \(/);
  });

  const hasHelm = spawnSync("helm", ["version"]).status === 0;

  describe.runIf(hasHelm)("rendered by helm", () => {
    function render(...settings: readonly string[]) {
      const flags = settings.flatMap((setting) => ["--set", setting]);
      const { stdout, stderr } = spawnSync("helm", ["template", "voice-bot", chart, ...flags], { encoding: "utf8" });
      const documents = parseAllDocuments(stdout).flatMap((each) => each.toJS() ?? []);
      return { stderr, kinds: documents.map(({ kind }) => kind).sort(), of: (kind: string) => find(documents, kind) };
    }

    function find(documents: readonly { readonly kind: string; readonly spec: unknown }[], kind: string) {
      // biome-ignore lint/suspicious/noExplicitAny: manifests
      return documents.find((each) => each.kind === kind)?.spec as any;
    }

    test("without values, it is kubernetes.yaml with a PodDisruptionBudget", () => {
      const { kinds, of } = render();
      expect(kinds).toEqual(["Deployment", "PodDisruptionBudget", "Service"]);
      const [plain] = parseAllDocuments(files["kubernetes.yaml"]).map((each) => each.toJS());
      const [container] = of("Deployment").template.spec.containers;
      const [expected] = plain.spec.template.spec.containers;
      const isolation = { name: "PIPECAT_RUNNER_ISOLATION", value: "none" };
      expect(container).toEqual({ ...expected, env: [...expected.env, isolation] });
      const { containers: _, ...pod } = of("Deployment").template.spec;
      expect(plain.spec.template.spec).toMatchObject(pod);
      expect(of("PodDisruptionBudget").selector).toEqual(of("Deployment").selector);
      expect(of("Service").selector).toEqual(of("Deployment").selector.matchLabels);
    });

    test("a fleet behind STUNner has all parts, and KEDA scales it at 70 % of its calls", () => {
      const { kinds, of } = render(
        ...["fleet.url=rediss://redis:6379", "autoscaling.enabled=true", "podMonitor.enabled=true"],
        ...["network.host=false", "turn.callersKey=TURN", "stunner.enabled=true", "isolation.mode=process"],
      );
      const more = ["NetworkPolicy", "PodMonitor", "ScaledObject", "UDPRoute"];
      expect(kinds).toEqual(["Deployment", "PodDisruptionBudget", "Service", ...more].sort());
      const { query, threshold } = of("ScaledObject").triggers[0].metadata;
      expect(threshold).toBe(String(0.7 * values.maxSessions));
      const [, release] = /app_kubernetes_io_instance="(.+)"/.exec(query) ?? [];
      expect(release).toBe(of("Deployment").template.metadata.labels["app.kubernetes.io/instance"]);
      expect(of("Deployment").replicas).toBeUndefined();
      const { hostNetwork, containers } = of("Deployment").template.spec;
      expect(hostNetwork).toBeUndefined();
      expect(containers[0].env).toContainEqual({
        name: "PIPECAT_CALLER_ICE_SERVERS",
        valueFrom: { secretKeyRef: { name: values.secret, key: "TURN" } },
      });
      expect(containers[0].env).toContainEqual({ name: "PIPECAT_FLEET_LISTEN", value: "$(POD_IP):7861" });
      expect(of("NetworkPolicy").ingress[0].ports[1]).toEqual({ protocol: "UDP", port: 40_000, endPort: 40_999 });
    });

    test.each([
      ["replicas=3", "set fleet.url"],
      ["autoscaling.enabled=true", "set fleet.url"],
      ["network.host=false", "need a TURN server"],
      ["turn.relayOnly=true", "set turn.serversKey"],
    ])("%s alone is rejected with a fix", (setting, text) => {
      expect(render(setting).stderr).toContain(text);
    });
  });
});

describe("Dockerfile", () => {
  test("has two stages, an unprivileged user, and the runner as its process", () => {
    const text = dockerfileText("npm");
    expect(text.match(/^FROM .*$/gm)).toHaveLength(2);
    expect(text.indexOf("\nUSER 1000\n")).toBeGreaterThan(text.lastIndexOf("FROM"));
    expect(parse(text.match(/^CMD (.*)$/m)?.[1] ?? "")).toEqual(["node_modules/.bin/pipecat-runner"]);
  });

  test.each([
    ["answers", async () => ({ ok: true }), 0],
    ["rejects", async () => ({ ok: false }), 1],
    ["is not reachable", () => Promise.reject(new Error("refused")), 1],
  ])("its health check notices that /livez %s", async (_, answer, code) => {
    const [, command = ""] = /CMD (\[.*livez.*\])$/m.exec(dockerfileText("npm")) ?? [];
    const [node, evaluate, program = ""] = JSON.parse(command);
    expect([node, evaluate]).toEqual(["node", "-e"]);
    const fetch = vi.fn(answer);
    const exited = new Promise((exit) => runInNewContext(program, { fetch, process: { exit } }));
    expect(await exited).toBe(code);
    expect(fetch).toHaveBeenCalledExactlyOnceWith(`http://localhost:${port}/livez`);
  });
});
