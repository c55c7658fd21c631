/**
 * `binraft doctor`: looks at everything a node needs before anybody waits for it. Works with and
 * without a running node, and changes nothing.
 */
import type { Command } from "commander";
import { Seal } from "../../cluster/seal.ts";
import { resolveSource } from "../../cluster/source-config.ts";
import { lookAtSource, waitsForNobody } from "../../cluster/source-look.ts";
import { formatHostPort, type HostPort } from "../../config/kinds.ts";
import { ConfigError, type Loaded } from "../../config/load.ts";
import type { NodeConfig } from "../../config/node-config.ts";
import { DiskError } from "../../platform/disk.ts";
import { NetError } from "../../platform/net.ts";
import type { Platform } from "../../platform/platform.ts";
import type { SourceCheck } from "../../syncer/host.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { formatBytes } from "../output.ts";
import { readPeerCertificates } from "../peer-credentials.ts";
import { readSecret } from "../secrets.ts";
import { addConfigFlags, loadSettings } from "../settings.ts";
import { act, type Verb, type VerbTable } from "../verb.ts";
import { printChecks } from "./checks.ts";

/** Nothing of this program is older: a clock before it is wrong. */
const YEAR_2025_MS = 1_735_689_600_000;
const CLOCK_TOLERANCE_MS = 5_000;
/** The next segment is made ahead of need. */
const SEGMENTS_AHEAD = 4;

type Add = (name: string, level: SourceCheck["level"], message: string) => void;

export function addDoctorVerb(program: Command, table: VerbTable): void {
  const doctor = program
    .command("doctor")
    .description("check configuration, disk, ports, node and source");
  addConfigFlags(doctor).action(
    act<GlobalOptions>(table, async (verb) => {
      const checks: SourceCheck[] = [];
      const add: Add = (name, level, message) => checks.push({ name, level, message });
      const loaded = await checkConfig(verb, add);
      const { platform } = verb.context;
      const running = await checkNode(verb, add);
      if (loaded !== null) {
        await checkDataDir(platform, loaded.config, running, add);
        if (!running) await checkPorts(platform, loaded.config, add);
        if (!running) await checkSource(platform, loaded.config, add);
        await checkSecrets(platform, loaded.config, add);
      }
      checkClock(platform, add);
      verb.output.result({ items: checks }, () => printChecks(verb.output, checks));
      if (checks.some((check) => check.level === "fail")) verb.exit = ExitCode.FAILED;
    }),
  );
}

async function checkConfig(verb: Verb, add: Add): Promise<Loaded | null> {
  try {
    const loaded = await loadSettings(verb.context, verb.options);
    const where = loaded.file === "" ? "no file, defaults and environment" : `"${loaded.file}"`;
    add("config", "ok", `The configuration is valid (${where})`);
    if (loaded.config.source === null)
      add("config", "warn", "No source is configured: set source.url, or use binraft syncer set");
    if (loaded.config.accounts.length === 0) {
      add(
        "config",
        "warn",
        "No account is configured: replicas need one, binraft account set NAME --password-file FILE",
      );
    }
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems)
      add("config", "fail", `${problem.message} (${problem.code})`);
    return null;
  }
}

/** True when a node answers. */
async function checkNode(verb: Verb, add: Add): Promise<boolean> {
  const node = await verb.connect().catch((error: unknown) => {
    if (error instanceof ConfigError) return null;
    throw error;
  });
  if (node === null) return false;
  try {
    const response = await node.request("GET", "/livez");
    add("node", "ok", `A node answers at ${node.url}`);
    compareClocks(verb.context.platform, response, add);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const stopped = error.exit === ExitCode.UNREACHABLE;
    add("node", "warn", stopped ? `No node answers at ${node.url}` : error.message);
    return !stopped;
  }
  try {
    const { items } = await node.send<{ items: SourceCheck[] }>("POST", "/v1/syncer/check");
    for (const check of items) add(`source ${check.name}`, check.level, check.message);
    const { alarms } = await node.get<{ alarms: string[] }>("/v1/status");
    for (const alarm of alarms) add("alarm", "warn", alarm);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    add(
      "source",
      "warn",
      `The source was not checked: ${error.message}${error.next === "" ? "" : `; ${error.next}`}`,
    );
  }
  return true;
}

async function checkDataDir(
  platform: Platform,
  config: NodeConfig,
  running: boolean,
  add: Add,
): Promise<void> {
  const { dataDir } = config.node;
  const { segmentBytes } = config.storage;
  try {
    const disk = platform.disk(dataDir);
    await disk.makeDir("");
    const free = await disk.freeBytes();
    const needed = segmentBytes * SEGMENTS_AHEAD;
    const message = `${formatBytes(free)} are free for "${dataDir}"`;
    if (free < needed)
      add(
        "disk",
        "fail",
        `${message}: the log takes space ${formatBytes(segmentBytes)} at a time, have ${formatBytes(needed)} or more`,
      );
    else add("disk", "ok", message);
    if (running) return;
    const release = await disk.lock();
    await release();
    add("data_dir", "ok", `"${dataDir}" can be used and no other process has it`);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    add("data_dir", error.code === "ELOCKED" ? "warn" : "fail", error.message);
  }
}

async function checkPorts(platform: Platform, config: NodeConfig, add: Add): Promise<void> {
  const { mysql, admin } = config.listen;
  for (const [name, address] of Object.entries({ mysql, admin }) as [string, HostPort][]) {
    const shown = `listen.${name} ${formatHostPort(address)}`;
    try {
      const listener = await platform.net.listen(address, (conn) => conn.destroy());
      await listener.close();
      add("ports", "ok", `${shown} is free`);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      const why =
        error.code === "EADDRINUSE"
          ? "is in use by another process"
          : `cannot be listened on: ${error.code}`;
      add("ports", "fail", `${shown} ${why}`);
    }
  }
}

async function checkSecrets(platform: Platform, config: NodeConfig, add: Add): Promise<void> {
  const references: [string, string | null][] = [
    ["cluster.secret_file", config.cluster?.secretRef ?? null],
    ["source.password_file", config.source?.passwordRef ?? null],
    ["admin.token_file", config.admin.tokenRef],
    ...config.accounts.map((account): [string, string] => [
      `accounts.${account.name}.password_file`,
      account.passwordRef,
    ]),
  ];
  for (const [option, reference] of references) {
    if (reference === null) continue;
    try {
      await readSecret(platform.process, reference, option);
      add("secrets", "ok", `${option} can be read`);
    } catch (error) {
      add("secrets", "fail", (error as Error).message);
    }
  }
  const tls = config.cluster?.tls ?? null;
  if (tls === null) return;
  try {
    await readPeerCertificates(platform, tls);
    add("secrets", "ok", "cluster.tls_ca, cluster.tls_cert and cluster.tls_key can be used");
  } catch (error) {
    add("secrets", "fail", (error as Error).message);
  }
}

/** By this configuration: the log, which counts once there is one, can say otherwise. */
async function checkSource(platform: Platform, config: NodeConfig, add: Add): Promise<void> {
  if (config.source === null) return;
  const { crypto, random, process } = platform;
  const seal = new Seal(crypto, random, async () => [], "");
  try {
    const reader = { process, seal };
    const source = await resolveSource(config.source, reader, "");
    const checks = await lookAtSource(platform, source, waitsForNobody);
    for (const { name, level, message } of checks) add(`source ${name}`, level, message);
  } catch (error) {
    add("source", "fail", (error as Error).message);
  }
}

function checkClock(platform: Platform, add: Add): void {
  const now = platform.clock.wall();
  const shown = new Date(now).toISOString();
  if (now < YEAR_2025_MS)
    add(
      "clock",
      "fail",
      `This machine's clock shows ${shown}: set it, certificates and retention by age need it`,
    );
  else add("clock", "ok", `This machine's clock shows ${shown}`);
}

function compareClocks(platform: Platform, response: Response, add: Add): void {
  const there = Date.parse(response.headers.get("date") ?? "");
  const apartMs = Math.abs(there - platform.clock.wall());
  if (apartMs > CLOCK_TOLERANCE_MS) {
    add(
      "clock",
      "warn",
      `The node's clock and this machine's are ${Math.round(apartMs / 1000)} s apart: run a time service on both`,
    );
  }
}
