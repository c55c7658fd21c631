/** What is shipped to run binraft elsewhere names options, files, ports and routes that there are. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { parse } from "smol-toml";
import { RUNTIMES } from "../../demo/runtimes.ts";
import { flyHosting } from "../../geo/fly.ts";
import type { HostingSettings } from "../../src/config/hosting.ts";
import { type Loaded, loadConfig } from "../../src/config/load.ts";
import {
  OPTIONS,
  optionName,
  RESERVED_VARIABLES,
  secretVariableName,
  variableName,
} from "../../src/config/options.ts";
import { DiskError } from "../../src/platform/disk.ts";
import { ROOT } from "./sources.ts";

const read = (name: string): string => readFileSync(path.join(ROOT, name), "utf8");
const exists = (name: string): boolean => existsSync(path.join(ROOT, name));
const FILES = ["fly.toml", "Dockerfile", "compose.yaml", "runtime/container.sh"];
const PAGES = ["docs/11-fly.md", "docs/12-other-places.md"];
const STOP_SECONDS = 25;

const KNOWN: ReadonlySet<string> = new Set([
  ...OPTIONS.map(variableName),
  ...OPTIONS.filter(({ secret }) => secret).map(secretVariableName),
  ...RESERVED_VARIABLES.keys(),
]);

function standardPort(name: string): number {
  const option = OPTIONS.find((one) => optionName(one) === name)!;
  return Number(String(option.standard).split(":").at(-1));
}
const PORTS = ["listen.mysql", "listen.peer", "listen.admin"].map(standardPort);

/** As a node with these variables reads them; rejects with what is wrong. */
function load(env: Record<string, string>, hosting: HostingSettings | null): Promise<Loaded> {
  return loadConfig({
    process: {
      env,
      hostname: () => "n1",
      readTextFile: () => Promise.reject(new DiskError("ENOENT", "none")),
    },
    disk: (root) => ({ root }),
    flags: new Map(),
    file: null,
    hosting,
  });
}

test("only variables that are options are named", () => {
  for (const file of [...FILES, ...PAGES]) {
    const named = read(file).match(/\bBINRAFT_[A-Z_]+/g) ?? [];
    assert.ok(named.length > 0, file);
    assert.deepEqual(
      named.filter((name) => !KNOWN.has(name)),
      [],
      file,
    );
  }
});

interface FlyToml {
  readonly primary_region: string;
  readonly kill_signal: string;
  readonly kill_timeout: number;
  readonly build: { readonly dockerfile: string; readonly args: { readonly RUNTIME: string } };
  readonly deploy: { readonly strategy: string; readonly max_unavailable: number };
  readonly env: Record<string, string>;
  readonly mounts: readonly { readonly destination: string }[];
  readonly checks: Record<string, { readonly port: number; readonly path: string }>;
  readonly metrics: readonly { readonly port: number; readonly path: string }[];
}

test("fly.toml is what a machine of Fly.io starts with, once its secrets are set", async () => {
  const fly = parse(read("fly.toml")) as unknown as FlyToml;
  const hosting = flyHosting({
    FLY_APP_NAME: "binraft",
    FLY_MACHINE_ID: "d1",
    FLY_REGION: fly.primary_region,
    PRIMARY_REGION: fly.primary_region,
  })!;
  const secrets = { BINRAFT_CLUSTER_SECRET: "s", BINRAFT_ADMIN_TOKEN: "t" };
  const { config } = await load({ ...fly.env, ...secrets }, hosting);
  const [mount] = fly.mounts;
  // Not the mount itself: a new volume has a lost+found.
  assert.ok(config.node.dataDir.startsWith(`${mount!.destination}/`), config.node.dataDir);
  const [mysql, peer, admin] = PORTS;
  const { listen } = config;
  assert.deepEqual([listen.mysql.port, listen.peer.port, listen.admin.port], [mysql, peer, admin]);
  const asked = [...Object.values(fly.checks), ...fly.metrics];
  assert.deepEqual(asked.map((one) => one.path).sort(), ["/livez", "/metrics", "/readyz"]);
  for (const one of asked) assert.equal(one.port, admin);
  assert.equal(config.admin.openMetrics, true, "Fly's collector sends no token");
  assert.equal(fly.kill_signal, "SIGTERM");
  assert.ok(fly.kill_timeout > STOP_SECONDS);
  assert.deepEqual([fly.deploy.strategy, fly.deploy.max_unavailable], ["rolling", 1]);
  assert.ok(exists(fly.build.dockerfile));
  assert.ok(RUNTIMES.some((one) => one === fly.build.args.RUNTIME));
});

/** Of a service in compose.yaml: what is written there as `NAME: value`, with the common part. */
function environmentOf(service: string, text: string): Record<string, string> {
  const from = text.indexOf(`\n  ${service}:\n`);
  assert.ok(from > 0, service);
  const own = text.slice(from).split(/\n {2}\w+:\n|\n\w+:\n/)[1]!;
  const common = text.slice(text.indexOf("x-environment:"), text.indexOf("\nservices:"));
  const found = `${common}\n${own}`.matchAll(/^ +(BINRAFT_[A-Z_]+): "?([^"\n]+)"?$/gm);
  return Object.fromEntries([...found].map(([, name, value]) => [name!, value!]));
}

test("compose.yaml has three nodes that find each other", async () => {
  const text = read("compose.yaml");
  const services = ["n1", "n2", "n3"];
  const joins = services.map((name) => ({ host: name, port: PORTS[1]! }));
  for (const name of services) {
    const { config } = await load(environmentOf(name, text), null);
    const { join, bootstrapExpect, advertise, secretRef } = config.cluster!;
    assert.deepEqual(join, joins);
    assert.equal(bootstrapExpect, services.length);
    assert.deepEqual(advertise, { host: name, port: PORTS[1] });
    assert.equal(secretRef, "file:/run/secrets/cluster-secret");
    assert.deepEqual(config.listen.mysql, { host: "0.0.0.0", port: PORTS[0] });
    assert.match(text, new RegExp(`\\n {2}${name}:\\n    <<: \\*node\\n    hostname: ${name}\\n`));
  }
  const published = [...text.matchAll(/ports: \["127\.0\.0\.1:(\d+):(\d+)"\]/g)];
  assert.equal(new Set(published.map((match) => match[1])).size, services.length);
  for (const match of published) assert.equal(Number(match[2]), PORTS[0]);
  const grace = Number(/stop_grace_period: (\d+)s/.exec(text)![1]);
  assert.ok(grace > STOP_SECONDS);
});

test("the Dockerfile copies and runs what is there, and takes no image from a named host", () => {
  const text = read("Dockerfile");
  const allowed = read(".dockerignore").split("\n");
  assert.equal(allowed[0], "*");
  const sources: string[] = [];
  for (const match of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
    sources.push(...match[1]!.split(" "));
  for (const source of sources) {
    assert.ok(exists(source), source);
    assert.ok(allowed.includes(`!${source.split("/")[0]}`), `${source} is in .dockerignore`);
  }
  const { include } = JSON.parse(read("tsconfig.build.json")) as { include: string[] };
  for (const pattern of include) assert.ok(sources.includes(pattern.split("/")[0]!), pattern);
  for (const match of text.matchAll(/\bnode (\S+\.ts)\b/g)) assert.ok(exists(match[1]!), match[1]);
  for (const match of text.matchAll(/^FROM (\S+)/gm)) assert.match(match[1]!, /^[a-z0-9:.-]+$/);
  const exposed = /^EXPOSE (.+)$/m.exec(text)![1]!.split(" ").map(Number);
  assert.deepEqual(exposed, PORTS);
  assert.match(text, /^STOPSIGNAL SIGTERM$/m);
  assert.match(text, /^ENTRYPOINT \["binraft"\]$/m);
  // What container.sh looks for is where the Dockerfile puts it.
  const script = read("runtime/container.sh");
  for (const folder of ["dist", "bin"]) {
    assert.ok(text.includes(`/usr/lib/binraft/${folder}\n`), folder);
    assert.ok(script.includes(`$here/${folder}/`), folder);
  }
  assert.ok(exists("runtime/main.ts") && script.includes("dist/runtime/main.js"));
  for (const runtime of RUNTIMES) assert.ok(script.includes(`$here/bin/${runtime}`), runtime);
});
