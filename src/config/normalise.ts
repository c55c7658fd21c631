/** From what was given to the strict type: defaults, absolute paths, and checks across options. */
import type { ErrorCode } from "../base/errors.ts";
import { formatHostPort, type HostPort, parseHostPort, parseSize } from "./kinds.ts";
import type { Collected, LoadOptions } from "./load.ts";
import { isLoopback } from "./loopback.ts";
import type { AccountSection, ClusterSection, NodeConfig, SourceSection } from "./node-config.ts";
import { OPTIONS, optionName } from "./options.ts";
import { parseSourceUrl } from "./source-url.ts";

/** Null when it cannot be made; then `collected.problems` says why. */
export function normalise(collected: Collected, options: LoadOptions): NodeConfig | null {
  if (collected.problems.length > 0) return null;
  const values = new Values(collected, options);
  const config: NodeConfig = {
    node: {
      name: values.textOrNull("node.name") ?? hostLabel(options.process.hostname()),
      region: values.text("node.region"),
      dataDir: values.path("node.data_dir")!,
      serverId: values.number("node.server_id"),
    },
    listen: {
      mysql: values.address("listen.mysql"),
      peer: values.address("listen.peer"),
      admin: values.address("listen.admin"),
    },
    cluster: clusterSection(values),
    source: sourceSection(values),
    accounts: accountSections(collected, values),
    replicas: {
      tlsCert: values.path("replicas.tls_cert"),
      tlsKey: values.path("replicas.tls_key"),
      requireTls: values.yesNo("replicas.require_tls"),
      maxConnections: values.number("replicas.max_connections")!,
      allowOriginServerIds: values.yesNo("replicas.allow_origin_server_ids"),
    },
    storage: {
      segmentBytes: values.number("storage.segment_bytes")!,
      retentionBytes: values.number("storage.retention_bytes"),
      retentionHours: values.number("storage.retention_hours"),
      keepForAbsentHours: values.number("storage.keep_for_absent_hours")!,
    },
    admin: {
      tokenRef: values.secret("admin.token_file"),
      tlsCert: values.path("admin.tls_cert"),
      tlsKey: values.path("admin.tls_key"),
      dashboard: values.yesNo("admin.dashboard"),
    },
  };
  crossCheck(config, (message) => values.problem("BR1005", message));
  return collected.problems.length > 0 ? null : config;
}

class Values {
  readonly #collected: Collected;
  readonly #options: LoadOptions;

  constructor(collected: Collected, options: LoadOptions) {
    this.#collected = collected;
    this.#options = options;
  }

  given(name: string): boolean {
    return this.#collected.values.has(name) || this.#collected.values.has(`${name}!`);
  }

  problem(code: ErrorCode, message: string): void {
    this.#collected.problems.push({ code, message });
  }

  raw(name: string): unknown {
    const given = this.#collected.values.get(name);
    if (given !== undefined) return given.value;
    return OPTIONS.find((option) => optionName(option) === name)!.standard;
  }

  text(name: string): string {
    return this.raw(name) as string;
  }

  textOrNull(name: string): string | null {
    return this.raw(name) as string | null;
  }

  yesNo(name: string): boolean {
    return this.raw(name) === true;
  }

  /** Sizes too: a default is written as in the file. */
  number(name: string): number | null {
    const value = this.raw(name);
    return typeof value === "string" ? parseSize(value) : (value as number | null);
  }

  address(name: string): HostPort {
    const value = this.raw(name);
    return typeof value === "string" ? parseHostPort(value)! : (value as HostPort);
  }

  addresses(name: string): readonly HostPort[] {
    return (this.raw(name) as readonly HostPort[] | null) ?? [];
  }

  path(name: string): string | null {
    const value = this.textOrNull(name);
    return value === null
      ? null
      : this.absolute(value, this.#collected.values.get(name)?.fromFile ?? false);
  }

  absolute(path: string, fromFile: boolean): string {
    const relative = fromFile && !path.startsWith("/");
    return this.#options.disk(relative ? `${this.#collected.folder}${path}` : path).root;
  }

  /** Where a secret is. A file named by a flag or the environment wins over one in the file. */
  secret(name: string): string | null {
    const inEnvironment = this.#collected.values.get(`${name}!`);
    if (inEnvironment !== undefined) return `env:${String(inEnvironment.value)}`;
    const path = this.path(name);
    return path === null ? null : `file:${path}`;
  }
}

function clusterSection(values: Values): ClusterSection | null {
  const given = OPTIONS.filter((option) => option.section === "cluster").map(optionName);
  if (!given.some((name) => values.given(name))) return null;
  const secretRef = values.secret("cluster.secret_file");
  const tls = clusterTls(values);
  if (secretRef === null && !CLUSTER_TLS.some((name) => values.given(name))) {
    values.problem(
      "BR1005",
      "[cluster] is set and cluster.secret_file is not: write 32 random hex digits into a file with mode 0600, " +
        `the same on all nodes, and name it there; or set ${listed(CLUSTER_TLS)}`,
    );
  }
  const listen = values.address("listen.peer");
  const advertised = values.raw("cluster.advertise");
  const advertise = advertised === null ? listen : values.address("cluster.advertise");
  if (ANY_ADDRESS.includes(advertise.host)) {
    values.problem(
      "BR1005",
      `listen.peer ${formatHostPort(listen)} is no address that others can connect to: set cluster.advertise`,
    );
  }
  const heartbeatMs = values.number("cluster.heartbeat_ms")!;
  const electionMs = values.number("cluster.election_ms")!;
  if (electionMs < 3 * heartbeatMs) {
    values.problem(
      "BR1005",
      `cluster.election_ms ${electionMs} is too close to cluster.heartbeat_ms ${heartbeatMs}: ` +
        "it takes three times as much or more",
    );
  }
  if (values.text("cluster.discovery") === "fly")
    values.problem(
      "BR1005",
      'cluster.discovery "fly" is not known to this version: list the nodes in cluster.join',
    );
  const history = values.text("cluster.history") as ClusterSection["history"];
  if (history !== "all" && values.given("cluster.bootstrap_expect"))
    values.problem(
      "BR1005",
      'cluster.history "from-now" is for a node that joins: leave out cluster.bootstrap_expect',
    );
  const voters = values.number("cluster.voters")!;
  if (voters % 2 === 0)
    values.problem(
      "BR1004",
      `cluster.voters ${voters} stand no more losses than ${voters - 1}: an odd number is expected`,
    );
  return {
    secretRef,
    tls,
    advertise,
    placement: { mode: values.text("cluster.placement") as "manual" | "auto", voters },
    compress: values.text("cluster.compress") as ClusterSection["compress"],
    wanWindowBytes: values.number("cluster.wan_window_bytes")!,
    leaderCooldownMs: 1000 * values.number("cluster.leader_cooldown_s")!,
    replaceAfterMs: 1000 * values.number("cluster.replace_after_s")!,
    removeAfterMs: 3_600_000 * values.number("cluster.remove_after_hours")!,
    heartbeatMs,
    electionMs,
    join: values.addresses("cluster.join"),
    bootstrapExpect: values.number("cluster.bootstrap_expect"),
    history,
    discovery: values.text("cluster.discovery") as ClusterSection["discovery"],
  };
}

const CLUSTER_TLS = ["cluster.tls_ca", "cluster.tls_cert", "cluster.tls_key"] as const;

function clusterTls(values: Values): ClusterSection["tls"] {
  const [ca, cert, key] = CLUSTER_TLS.map((name) => values.path(name));
  if (ca && cert && key) return { ca, cert, key };
  const set = CLUSTER_TLS.filter((name) => values.given(name));
  const unset = CLUSTER_TLS.filter((name) => !values.given(name));
  if (set.length > 0) {
    const [are, areNot] = [set, unset].map(({ length }) => (length === 1 ? "is" : "are"));
    values.problem(
      "BR1005",
      `${listed(set)} ${are} set and ${listed(unset)} ${areNot} not: set all three or none`,
    );
  }
  return null;
}

function listed(names: readonly string[]): string {
  return names.join(", ").replace(/, ([^,]*)$/, " and $1");
}

function sourceSection(values: Values): SourceSection | null {
  const url = values.textOrNull("source.url");
  if (url === null) {
    const alone = OPTIONS.find(
      (option) => option.section === "source" && values.given(optionName(option)),
    );
    if (alone !== undefined) {
      values.problem(
        "BR1005",
        `${optionName(alone)} is set and source.url is not: set both or neither`,
      );
    }
    return null;
  }
  const address = parseSourceUrl(url);
  if (typeof address === "string") {
    values.problem("BR1004", `Invalid value for source.url: ${address}`);
    return null;
  }
  const passwordRef = values.secret("source.password_file");
  if (passwordRef === null) {
    const message =
      `No password for the source's user "${address.user}": put it into a file with mode 0600 and ` +
      "name that in source.password_file, or set BINRAFT_SOURCE_PASSWORD";
    values.problem("BR1005", message);
  }
  return {
    ...address,
    passwordRef,
    tls: values.text("source.tls") as SourceSection["tls"],
    tlsCa: values.path("source.tls_ca"),
    tlsCert: values.path("source.tls_cert"),
    tlsKey: values.path("source.tls_key"),
    publicKeyFile: values.path("source.public_key_file"),
    semiSync: values.yesNo("source.semi_sync"),
    serverId: values.number("source.server_id")!,
    nativePassword: values.yesNo("source.native_password"),
    region: values.textOrNull("source.region"),
  };
}

function accountSections(collected: Collected, values: Values): AccountSection[] {
  return [...collected.accounts].map(([name, account]) => ({
    name,
    passwordRef: `file:${values.absolute(account.passwordFile, true)}`,
    native: account.native,
  }));
}

function crossCheck(config: NodeConfig, problem: (message: string) => void): void {
  const { listen, source, replicas, admin, node } = config;
  const listeners = Object.entries(listen).filter(
    ([name]) => name !== "peer" || config.cluster !== null,
  );
  for (const [index, [name, address]] of listeners.entries()) {
    for (const [other, second] of listeners.slice(index + 1)) {
      if (
        address.port === 0 ||
        address.port !== second.port ||
        !overlaps(address.host, second.host)
      )
        continue;
      problem(
        `listen.${name} and listen.${other} are both ${formatHostPort(address)}: give each its own port`,
      );
    }
  }
  pair(problem, "replicas", replicas.tlsCert, replicas.tlsKey);
  pair(problem, "admin", admin.tlsCert, admin.tlsKey);
  if (source !== null) {
    pair(problem, "source", source.tlsCert, source.tlsKey);
    if (source.tls === "disabled" && (source.tlsCa !== null || source.tlsCert !== null)) {
      problem(
        'source.tls is "disabled" and certificates are set: leave these out, or set "verify-ca" or "verify-identity"',
      );
    }
    if (source.serverId === node.serverId) {
      problem(
        `source.server_id and node.server_id are both ${source.serverId}: each needs its own`,
      );
    }
  }
  if (!isLoopback(listen.admin.host) && (admin.tokenRef === null || admin.tlsCert === null)) {
    problem(
      `listen.admin ${formatHostPort(listen.admin)} can be reached from other machines: set ` +
        "admin.token_file, admin.tls_cert and admin.tls_key, or listen on 127.0.0.1",
    );
  }
}

function pair(
  problem: (message: string) => void,
  section: string,
  cert: string | null,
  key: string | null,
): void {
  if ((cert === null) === (key === null)) return;
  const [has, lacks] = cert === null ? ["tls_key", "tls_cert"] : ["tls_cert", "tls_key"];
  problem(`${section}.${has} is set and ${section}.${lacks} is not: set both or neither`);
}

const ANY_ADDRESS = ["0.0.0.0", "::"];

function overlaps(a: string, b: string): boolean {
  return a === b || ANY_ADDRESS.includes(a) || ANY_ADDRESS.includes(b);
}

/** A host's name as a node's name. */
function hostLabel(hostname: string): string {
  const name = hostname
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? "node" : name;
}
