/** A node that answers from memory and remembers what it was told. */
import type { BinlogFile } from "../../../src/binlog/file-view.ts";
import type { AccountSettings, SourceSettings } from "../../../src/cluster/command.ts";
import {
  type AccountStatus,
  type ClusterOperations,
  type ClusterStatus,
  type MemberStatus,
  type NearNode,
  type NodeMetrics,
  type NodeOperations,
  type NodeStatus,
  OperationError,
  type PlacementStatus,
  type ReplicaStatus,
  type ServerStatus,
} from "../../../src/cluster/operations.ts";
import type { PlacementSettings } from "../../../src/cluster/policies.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { CANARY, fakeMembers, fakeMetrics, fakePlacement } from "./fake-cluster.ts";

const GTIDS = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";

export class FakeNode implements NodeOperations, ClusterOperations {
  readonly calls: string[] = [];
  ready: string | null = null;
  syncerState: NodeStatus["syncer"]["state"] = "RUNNING";
  semiSyncSource: NodeStatus["syncer"]["semiSyncSource"] = {
    active: true,
    commitsWithoutAck: 0,
    otherReplicas: 0,
  };
  checks: NodeStatus["syncer"]["checks"] = [];
  fail: Error | null = null;
  exported: readonly Uint8Array[] = [
    new Uint8Array([0xfe, 0x62, 0x69, 0x6e]),
    new Uint8Array([1, 2]),
  ];
  exportEnded = false;
  members: MemberStatus[] = fakeMembers();
  leaderId = 1;
  retention: { bytes: number | null; hours: number | null } = { bytes: null, hours: 168 };
  placementChange: Partial<PlacementSettings> = {};
  listening = true;
  followers: readonly ReplicaStatus[] = [];
  alarms: readonly string[] = [];
  /** What the leader says of the syncer; this node's own view is another. */
  leaderSyncer: Partial<NodeStatus["syncer"]> = {};

  async #told(call: string): Promise<void> {
    this.calls.push(call);
    if (this.fail !== null) throw this.fail;
  }

  status(): NodeStatus {
    const missing = this.syncerState === "GAP" ? { missing: GTIDS } : {};
    // A careless status would carry more than the contract: it must not get out.
    return {
      secret: CANARY,
      node: { name: "n1", region: "iad", version: "0.1.0", runtime: "test", password: CANARY },
      clusterId: "c1d",
      raft: {
        id: 1,
        role: "leader",
        term: 1,
        commit: 2,
        applied: 2,
        lastIndex: 2,
        firstIndex: 1,
        leaderSilentMs: 0,
      },
      storage: {
        dataDir: "d",
        logBytes: 1,
        segments: 1,
        full: false,
        appendedBytes: 1,
        syncs: 1,
        damage: [],
      },
      stream: {
        executed: GTIDS,
        purged: "",
        files: 1,
        file: "b.000001",
        position: 4,
        visibleBytes: 4,
        deadBytes: 0,
        open: false,
      },
      syncer: {
        state: this.syncerState,
        reason: "",
        next: "",
        gtids: missing,
        source: "mysql://u@h:1",
        sourceUuid: "",
        sourceVersion: "",
        file: "",
        position: 0,
        semiSync: true,
        semiSyncSource: this.semiSyncSource,
        acksSent: 0,
        ackedFile: "",
        ackedPosition: 0,
        attempts: 1,
        connectedMs: 0,
        receivedBytes: 0,
        brokenPulls: 0,
        kept: { state: "ready", reason: "", ageMs: 1 },
        loginHangs: false,
        checks: this.checks,
        password: CANARY,
      },
      server: {
        listening: this.listening,
        address: "127.0.0.1:3307",
        tls: "offered",
        serverUuid: "u",
        serverId: 1,
        version: "9",
        connections: 0,
        replicas: 0,
      },
      alarms: this.alarms,
      process: { pid: 1, rssBytes: 1, cpuMs: 1, uptimeMs: 1 },
    } as NodeStatus;
  }
  notReady(): string | null {
    return this.ready;
  }
  replicas(): readonly ReplicaStatus[] {
    return this.followers;
  }
  gtid(): ReturnType<NodeOperations["gtid"]> {
    return { executed: GTIDS, purged: "", sourceUuids: ["3e11fa47-71ca-11e1-9e33-c80aa9429562"] };
  }
  files(): readonly BinlogFile[] {
    return [
      {
        name: "b.000001",
        number: 1,
        sourceName: "b.000001",
        sourceUuid: "u",
        epoch: 1,
        startEntry: 1,
        gtidsBefore: GtidSet.parse(""),
        size: 5_000_000_000,
        end: "open",
        partial: false,
        firstTimestamp: 1_700_000_000,
        lastTimestamp: 0,
      },
    ];
  }
  async *backup(): AsyncIterable<Uint8Array> {
    yield Uint8Array.of(1, 2, 3);
  }

  exportFile(name: string): AsyncIterable<Uint8Array> {
    if (name !== "b.000001")
      throw new OperationError("not-found", `There is no binlog file "${name}"`);
    const { exported } = this;
    const end = (): void => {
      this.exportEnded = true;
    };
    return (async function* () {
      try {
        yield* exported;
      } finally {
        end();
      }
    })();
  }
  async purge(firstKept: string, dryRun: boolean): Promise<readonly string[]> {
    await this.#told(`purge ${firstKept} ${dryRun}`);
    return ["b.000000"];
  }
  source(): SourceSettings | null {
    return {
      host: "h",
      port: 1,
      user: "u",
      passwordRef: "file:/p",
      tls: "disabled",
      tlsCa: null,
      tlsCert: null,
      tlsKey: null,
      publicKeyFile: null,
      semiSync: true,
      serverId: 4000,
      nativePassword: false,
      keepConnection: true,
      region: "iad",
    };
  }
  setSource(change: object): Promise<void> {
    return this.#told(`set ${JSON.stringify(change)}`);
  }
  startSyncer(): Promise<void> {
    return this.#told("start");
  }
  stopSyncer(): Promise<void> {
    return this.#told("stop");
  }
  async checkSource(): Promise<{ name: string; level: "ok" | "fail"; message: string }[]> {
    await this.#told("check");
    return [{ name: "connect", level: "fail", message: "no route" }];
  }
  acceptGap(gtids: string, confirm: string): Promise<void> {
    return this.#told(`accept-gap ${gtids} ${confirm}`);
  }
  acceptUnproved(confirm: string): Promise<void> {
    return this.#told(`accept-unproved ${confirm}`);
  }
  newTimeline(confirm: string): Promise<void> {
    return this.#told(`new-timeline ${confirm}`);
  }
  accounts(): AccountStatus[] {
    const account: AccountStatus = { name: "repl", native: false, metadata: true };
    return [{ ...account, sha2: CANARY } as AccountStatus];
  }
  setAccount(name: string, account: AccountSettings): Promise<void> {
    return this.#told(
      `account ${name} ${account.sha2} ${account.native}${account.metadata ? " metadata" : ""}`,
    );
  }
  removeAccount(name: string): Promise<void> {
    return this.#told(`remove ${name}`);
  }
  kickReplica(uuid: string): boolean {
    return uuid === "known";
  }

  cluster(): ClusterStatus {
    const voters = this.members.filter((member) => member.role === "voter");
    return {
      secret: CANARY,
      clusterId: "c1d",
      term: 7,
      leaderId: this.leaderId,
      leaderName: this.members.find((member) => member.id === this.leaderId)?.name ?? "",
      voters: voters.length,
      quorum: Math.floor(voters.length / 2) + 1,
      votersConnected: voters.filter((member) => member.connected).length,
      members: this.members,
      joint: false,
      heartbeatMs: 250,
      electionMs: 1500,
      rtts: [{ from: "fra", to: "iad", rttMs: 91.25, measured: true }],
      retentionBytes: this.retention.bytes,
      retentionHours: this.retention.hours,
      formatVersion: 2,
    } as ClusterStatus;
  }
  #member(named: string): MemberStatus {
    const found = this.members.find((one) => String(one.id) === named || one.name === named);
    if (found === undefined) throw new OperationError("not-found", `There is no "${named}"`);
    return found;
  }
  async addMember(peerAddress: string): Promise<MemberStatus> {
    await this.#told(`add ${peerAddress}`);
    const fresh = { ...fakeMembers()[2]!, id: 4, name: "n4", peerAddress };
    this.members.push(fresh);
    return fresh;
  }
  async promoteMember(named: string): Promise<MemberStatus> {
    await this.#told(`promote ${named}`);
    return { ...this.#member(named), role: "voter" };
  }
  async demoteMember(named: string): Promise<MemberStatus> {
    await this.#told(`demote ${named}`);
    return { ...this.#member(named), role: "learner" };
  }
  async removeMember(named: string): Promise<void> {
    await this.#told(`remove-member ${named}`);
    const gone = this.#member(named);
    this.members = this.members.filter((member) => member !== gone);
  }
  async replaceMember(old: string, fresh: string): Promise<MemberStatus> {
    await this.#told(`replace ${old} ${fresh}`);
    return { ...this.#member(fresh), role: "voter" };
  }
  async transferLeader(named: string): Promise<number> {
    await this.#told(`transfer ${named}`);
    // This node has not heard of it yet: `leaderId` stays.
    return named === "" ? 2 : this.#member(named).id;
  }
  async placement(): Promise<PlacementStatus> {
    return { ...fakePlacement(), ...this.placementChange };
  }
  async setPlacement(change: Partial<PlacementSettings>): Promise<PlacementStatus> {
    await this.#told(`placement ${JSON.stringify(change)}`);
    Object.assign(this.placementChange, change);
    return this.placement();
  }
  async applyPlacement(): Promise<PlacementStatus> {
    await this.#told("apply placement");
    return this.placement();
  }
  nearest(region: string): NearNode[] {
    const near = { id: 2, name: "fra", region, mysqlAddress: "10.0.0.2:3307" };
    return [{ ...near, rttMs: 1.5, lagEntries: 4, secret: CANARY } as NearNode];
  }
  async setRetention(retention: { bytes: number | null; hours: number | null }): Promise<void> {
    await this.#told(`retention ${retention.bytes} ${retention.hours}`);
    this.retention = retention;
  }
  async startServer(): Promise<ServerStatus> {
    await this.#told("server start");
    this.listening = true;
    return this.status().server;
  }
  async stopServer(): Promise<ServerStatus> {
    await this.#told("server stop");
    this.listening = false;
    return this.status().server;
  }
  async syncer(): Promise<NodeStatus["syncer"]> {
    return { ...this.status().syncer, ...this.leaderSyncer };
  }
  metrics(): NodeMetrics {
    return fakeMetrics();
  }
}
