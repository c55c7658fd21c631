/** Three members and counters, for the fake node. Every number differs, so that none can be mixed up. */
import type {
  MemberStatus,
  NodeMetrics,
  PlacementStatus,
  ReplicaStatus,
} from "../../../src/cluster/operations.ts";

/** Stands where a careless node would have a secret: must not get out. */
export const CANARY = "canary-secret";

export function fakeMembers(): MemberStatus[] {
  const member = (id: number, region: string, more: Partial<MemberStatus>): MemberStatus =>
    ({
      id,
      name: `n${id}`,
      region,
      role: "voter",
      fromNow: false,
      leader: id === 1,
      self: id === 1,
      diskUuid: `disk-${id}`,
      peerAddress: `10.0.0.${id}:4306`,
      mysqlAddress: `10.0.0.${id}:3307`,
      adminUrl: `https://10.0.0.${id}:8306`,
      version: "0.1.0",
      connected: true,
      lastIndex: 1000 - id,
      lagEntries: id,
      server: "running",
      refused: "",
      clusterSecret: CANARY,
      ...more,
    }) as MemberStatus;
  return [
    member(1, "iad", { lagEntries: 0 }),
    member(2, "fra", {}),
    member(3, "syd", {
      role: "learner",
      connected: false,
      lastIndex: null,
      lagEntries: null,
      server: "stopped",
    }),
  ];
}

export function fakePlacement(): PlacementStatus {
  return {
    secret: CANARY,
    mode: "manual",
    voters: 3,
    leaderRegion: null,
    sourceRegion: "iad",
    leaderId: 1,
    current: [1, 2],
    findings: ["2 voters stand no more losses than 1"],
    plan: {
      secret: CANARY,
      commitMs: 90,
      degradedMs: 240,
      voters: [1, 2, 3],
      promote: [3],
      demote: [],
      leaderRegion: "iad",
      reasons: ["3 voters in 3 regions"],
      findings: [],
      now: { commitMs: 90, degradedMs: null },
      worthIt: true,
    },
    rtts: [
      { from: "fra", to: "iad", rttMs: 91.25, measured: true },
      { from: "fra", to: "syd", rttMs: 250, measured: false },
    ],
    last: "",
  } as PlacementStatus;
}

export function fakeMetrics(): NodeMetrics {
  const peer = (id: number, rttMs: number | null): NodeMetrics["peers"][number] =>
    ({
      id,
      name: `n${id}`,
      connected: rttMs !== null,
      sentBytes: 100 + id,
      receivedBytes: 200 + id,
      droppedMessages: 300 + id,
      savedBytes: 600 + id,
      queuedBytes: 400 + id,
      rttMs,
      secret: CANARY,
    }) as NodeMetrics["peers"][number];
  return {
    raft: {
      elections: 11,
      leaderChanges: 12,
      proposals: 13,
      commitMsP50: 18,
      commitMsP99: 19,
      uncommittedBytes: 14,
      unsyncedBytes: 15,
      hashMismatches: 0,
    },
    peers: [peer(2, 12.5), peer(3, null)],
    server: {
      connections: 21,
      refusedConnections: 22,
      logins: 23,
      deniedLogins: 24,
      dumps: 25,
      bytesSent: 26,
    },
  };
}

export function fakeReplica(serverId: number, more: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return {
    serverId,
    uuid: `uuid-${serverId}`,
    address: "10.9.9.9:5",
    account: CANARY,
    file: "b.000001",
    position: 4,
    sentBytes: 1,
    lagBytes: serverId * 10,
    connectedMs: 1,
    tls: true,
    compression: "",
    state: "streaming",
    ...more,
  };
}
