/** From what was given to the strict type: defaults, absolute paths, and checks across options. */
import { clusterSection } from "./cluster-section.ts";
import type { HostingSettings } from "./hosting.ts";
import { formatHostPort } from "./kinds.ts";
import type { Collected, LoadOptions } from "./load.ts";
import { isAnyAddress, isLoopback } from "./loopback.ts";
import type { AccountSection, NodeConfig, SourceSection } from "./node-config.ts";
import { OPTIONS, optionName } from "./options.ts";
import { parseSourceUrl } from "./source-url.ts";
import { Values } from "./values.ts";

/** Null when it cannot be made; then `collected.problems` says why. */
export function normalise(collected: Collected, options: LoadOptions): NodeConfig | null {
  if (collected.problems.length > 0) return null;
  const values = new Values(collected, options);
  const config: NodeConfig = {
    node: {
      name: values.textOrNull("node.name") ?? hostLabel(options.process.hostname()),
      region: values.text("node.region"),
      dataDir: values.path("node.data_dir")!,
      secretsDir: values.path("node.secrets_dir") ?? `${values.path("node.data_dir")!}/secrets`,
      serverId: values.number("node.server_id"),
    },
    listen: {
      mysql: values.address("listen.mysql"),
      peer: values.address("listen.peer"),
      admin: values.address("listen.admin"),
    },
    cluster: clusterSection(values, options.hosting),
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
      openMetrics: values.yesNo("admin.open_metrics"),
      dashboard: values.yesNo("admin.dashboard"),
    },
  };
  crossCheck(config, (message) => values.problem("BR1005", message));
  checkAdminAddress(config, options.hosting, (message) => values.problem("BR1005", message));
  return collected.problems.length > 0 ? null : config;
}

function sourceSection(values: Values): SourceSection | null {
  const url = values.textOrNull("source.url");
  if (url === null) {
    const alone = OPTIONS.find(
      (option) => option.section === "source" && values.written(optionName(option)),
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
    keepConnection: values.yesNo("source.keep_connection"),
    region: values.textOrNull("source.region"),
  };
}

function accountSections(collected: Collected, values: Values): AccountSection[] {
  return [...collected.accounts].map(([name, account]) => ({
    name,
    passwordRef: `file:${values.absolute(account.passwordFile, true)}`,
    native: account.native,
    metadata: account.metadata,
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
}

/** Off loopback: a token that the operator chose, and TLS unless the network is private by itself. */
function checkAdminAddress(
  { listen, admin }: NodeConfig,
  hosting: HostingSettings | null,
  problem: (message: string) => void,
): void {
  if (isLoopback(listen.admin.host)) return;
  const where = `listen.admin ${formatHostPort(listen.admin)} can be reached from other machines`;
  if (hosting?.hasPrivateNetwork === true) {
    if (admin.tokenRef !== null) return;
    const command = hosting.secretCommand("BINRAFT_ADMIN_TOKEN");
    problem(`${where}: run ${command}, or listen on 127.0.0.1`);
  } else if (admin.tokenRef === null || admin.tlsCert === null) {
    problem(
      `${where}: set admin.token_file, admin.tls_cert and admin.tls_key, or listen on 127.0.0.1`,
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

function overlaps(a: string, b: string): boolean {
  return a === b || isAnyAddress(a) || isAnyAddress(b);
}

/** A host's name as a node's name. */
function hostLabel(hostname: string): string {
  const name = hostname
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? "node" : name;
}
