/** `[cluster]`: what a node of a cluster needs, and what does not go together. */
import type { HostingSettings } from "./hosting.ts";
import { formatHostPort } from "./kinds.ts";
import { isAnyAddress } from "./loopback.ts";
import type { ClusterSection } from "./node-config.ts";
import { OPTIONS, optionName } from "./options.ts";
import type { Values } from "./values.ts";

/** Null when none of its options is set: a node of its own. */
export function clusterSection(
  values: Values,
  hosting: HostingSettings | null,
): ClusterSection | null {
  const given = OPTIONS.filter((option) => option.section === "cluster").map(optionName);
  if (!given.some((name) => values.given(name))) return null;
  const secretRef = values.secret("cluster.secret_file");
  const tls = clusterTls(values);
  if (secretRef === null && !CLUSTER_TLS.some((name) => values.given(name))) {
    values.problem(
      "BR1005",
      hosting === null
        ? "[cluster] is set and cluster.secret_file is not: write 32 random hex digits into a file with mode " +
            `0600, the same on all nodes, and name it there; or set ${listed(CLUSTER_TLS)}`
        : `On ${hosting.provider} nodes find each other and are one cluster, and there is no cluster secret: ` +
            `run ${hosting.secretCommand("BINRAFT_CLUSTER_SECRET")} with 32 random hex digits`,
    );
  }
  const listen = values.address("listen.peer");
  const advertised = values.raw("cluster.advertise");
  const standard = hosting === null ? listen : { host: hosting.host, port: listen.port };
  const advertise = advertised === null ? standard : values.address("cluster.advertise");
  if (isAnyAddress(advertise.host)) {
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
    ...discovery(values, hosting, listen.port),
  };
}

function discovery(
  values: Values,
  hosting: HostingSettings | null,
  peerPort: number,
): Pick<ClusterSection, "discovery" | "discoveryName"> {
  const kind = values.text("cluster.discovery") as ClusterSection["discovery"];
  const name = values.raw("cluster.discovery_name") as { host: string; port: number | null } | null;
  if ((kind === "dns") !== (name !== null))
    values.problem(
      "BR1005",
      name === null
        ? 'cluster.discovery is "dns" and cluster.discovery_name is not set: name what has the addresses of all nodes'
        : 'cluster.discovery_name is for cluster.discovery "dns": set that, or leave the name out',
    );
  if (kind === "fly" && hosting?.discovery !== kind)
    values.problem(
      "BR1005",
      'cluster.discovery is "fly" and this is no machine of Fly.io (FLY_APP_NAME and FLY_MACHINE_ID are not ' +
        'set): list the nodes in cluster.join, or use "dns"',
    );
  const discoveryName = name === null ? null : { host: name.host, port: name.port ?? peerPort };
  return { discovery: kind, discoveryName };
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
