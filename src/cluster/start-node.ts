/** Putting a node together: its place in a cluster, its log, its parts (node.ts). */
import { toHex } from "../base/bytes.ts";
import { Peers } from "../peers/peers.ts";
import type { Address } from "../platform/net.ts";
import { EMPTY_CONF_STATE } from "../raft/types.ts";
import { ManifestStore } from "../storage/manifest.ts";
import { LogCorrupt } from "../storage/storage.ts";
import { ClusterPart } from "./cluster-part.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { form, type Place } from "./formation.ts";
import { fetchHead } from "./head.ts";
import { type Announcement, parseAddress } from "./members.ts";
import { RunningNode } from "./node.ts";
import { type ClusterOptions, type NodeCore, openCore } from "./node-core.ts";
import { NodeServer, type Timeline } from "./node-server.ts";
import type { StartOptions } from "./node-settings.ts";
import { NO_PLACE, READS_LOG } from "./operations.ts";
import { PeerHost } from "./peer-host.ts";
import { PeerMemory } from "./peer-memory.ts";
import { KNOWN_FORMAT, mustKnowFormat } from "./version-gate.ts";

/** The links of a node, and what it knows of others, before it has a log. */
interface Linked {
  readonly peers: Peers;
  readonly host: PeerHost;
  readonly memory: PeerMemory;
  readonly announcement: Announcement;
  readonly settings: ClusterSettings;
  readonly stop: () => Promise<void>;
}

/** Rejects with FormationRefused, LogCorrupt, DiskError, NetError. */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const { settings } = options;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const linked = settings.cluster === null ? null : await link(options, settings.cluster);
  let core: NodeCore | null = null;
  try {
    const cluster = linked === null ? null : await clusterOptions(options, linked);
    core = await openCore(options.platform, options.logger, {
      dataDir: settings.dataDir,
      segmentBytes: settings.segmentBytes,
      onFatal: (error) => fail(error),
      cluster,
      ...(settings.memory === undefined ? {} : { memory: settings.memory }),
    });
    options.onCore?.(core);
    linked?.memory.placeIsLogged();
    linked?.host.adopt(core);
    await core.driver.recover();
    mustKnowFormat(core.state);
    const own = core.state.members.get(core.log.identity.raftId);
    // Who comes before the node is whole waits for it.
    const { promise: whole, resolve: isWhole } = Promise.withResolvers<RunningNode>();
    const timeline: Timeline = async () => (await whole).timeline();
    const isWanted = own?.server !== "stopped";
    const server = await NodeServer.start(core, options, isWanted, timeline);
    const part =
      linked === null
        ? null
        : new ClusterPart({
            core,
            platform: options.platform,
            logger: options.logger,
            settings: linked.settings,
            policies: options.policies,
            peers: linked.peers,
            host: linked.host,
            memory: linked.memory,
            announcement: linked.announcement,
            stopPeers: linked.stop,
          });
    const node = new RunningNode({ core, server, cluster: part, options, failed, fail });
    isWhole(node);
    return node;
  } catch (error) {
    await linked?.stop();
    await core?.log.close();
    throw error;
  }
}

/** Remembers this start, and listens for peers. */
async function link(options: StartOptions, settings: ClusterSettings): Promise<Linked> {
  const { platform, logger } = options;
  const { name, region, version, dataDir } = options.settings;
  const disk = platform.disk(dataDir);
  const random = (length: number): string => toHex(platform.random.bytes(length));
  const release = await disk.lock();
  let memory: PeerMemory;
  try {
    const manifest = await new ManifestStore(disk, platform.crypto.crc32).read();
    const known = manifest?.identity.diskUuid ?? null;
    memory = await PeerMemory.open(disk, platform.crypto.crc32, () => known ?? random(16));
    if (known !== null && memory.diskUuid !== known) {
      throw new LogCorrupt(
        `"node.state" and the log in "${disk.root}" are of two different disks: a part of the directory was ` +
          "copied. Move it away and start with an empty one, which joins as a new learner",
      );
    }
  } finally {
    await release();
  }
  const host = new PeerHost({
    platform,
    logger: logger.with({ part: "peers" }),
    settings,
    memory,
    name,
    region,
    version,
    nonce: random(8),
  });
  const peers = new Peers(platform, logger.with({ part: "peers" }), settings.listen, host);
  await peers.listen();
  const ended = new AbortController();
  const run = peers.run(ended.signal);
  const stop = async (): Promise<void> => {
    ended.abort();
    await run;
  };
  const { peer, mysql, admin } = settings.advertised;
  const announcement = {
    diskUuid: memory.diskUuid,
    name,
    region,
    peer,
    mysql,
    admin,
    version,
    formatVersion: KNOWN_FORMAT,
  };
  return { peers, host, memory, announcement, settings, stop };
}

/** Asks those that this node was told to join, and those that were members when it did. */
function headFor(place: Place, { platform, logger }: StartOptions, linked: Linked) {
  const { peers, settings } = linked;
  const others = place.peers.filter((peer) => peer !== settings.advertised.peer);
  const known = others.map(parseAddress);
  const addresses = async (): Promise<Address[]> => {
    const found = await settings.discovery.look().then(
      (sighting) => sighting.addresses,
      () => [],
    );
    return [...found, ...known.filter((address) => address !== null)];
  };
  return () => fetchHead({ peers, clock: platform.clock, logger, addresses }, place.startsAt);
}

async function clusterOptions(options: StartOptions, linked: Linked): Promise<ClusterOptions> {
  const { platform, logger } = options;
  const { peers, settings, host, memory, announcement } = linked;
  const { heartbeatMs, electionMs } = settings;
  const disk = platform.disk(options.settings.dataDir);
  const manifest = await new ManifestStore(disk, platform.crypto.crc32).read();
  let place: Place | null = memory.place;
  if (place === null && manifest === null) {
    options.onWaiting?.(NO_PLACE);
    const { onWaiting } = options;
    const told = onWaiting === undefined ? {} : { onWaiting };
    place = await form({ platform, logger, settings, peers, host, announcement, ...told });
    options.onWaiting?.(READS_LOG);
    await memory.takePlace(place);
    const { raftId, clusterId } = place.identity;
    logger.info("This node has its place in a cluster", { id: raftId, clusterId });
  }
  return {
    links: peers,
    timing: { heartbeatMs, electionMs },
    identity: place?.identity ?? { raftId: 1 },
    first: place?.first ?? { conf: EMPTY_CONF_STATE, members: [] },
    head: place === null || !(place.startsAt > 0) ? null : headFor(place, options, linked),
  };
}
