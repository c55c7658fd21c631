/** Nodes with links and nothing behind them, on simulated machines. */
import { World } from "../../../runtime/memory/world.ts";
import type { PeerCredentials } from "../../../src/peers/handshake.ts";
import type { PeersHost } from "../../../src/peers/host.ts";
import { Peers } from "../../../src/peers/peers.ts";
import { type Hello, PROTOCOL_VERSION, type Refusal } from "../../../src/peers/protocol.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import type { Message } from "../../../src/raft/types.ts";
import { recordingLogger } from "../../sim/nodes/recording-logger.ts";

export const PORT = 4306;

export async function credentials(
  platform: Platform,
  ...secrets: string[]
): Promise<PeerCredentials> {
  const now = platform.clock.wall();
  const made = await platform.crypto.selfSignedCertificate({
    commonName: "node",
    altNames: [],
    notBefore: new Date(now - 1000),
    notAfter: new Date(now + 1e10),
  });
  return { ...made, ca: null, secrets };
}

export class PeersWorld {
  readonly world: World;
  readonly nodes: LinkedNode[] = [];

  constructor(seed: number) {
    this.world = new World(seed);
  }

  async start(id: number, secret = "one cluster secret"): Promise<LinkedNode> {
    const machine = this.world.machine(`n${id}`);
    const platform = machine.start();
    const node = new LinkedNode(platform, machine.address, id, await credentials(platform, secret));
    this.nodes.push(node);
    await this.world.time.run(() => node.begin());
    return node;
  }

  /** Everybody may be linked with everybody. */
  introduce(): void {
    for (const node of this.nodes) {
      const others = this.nodes.filter((other) => other !== node);
      node.peers.setMembers(
        others.map(({ id, address }) => ({
          foundedMs: null,
          raftId: id,
          name: `n${id}`,
          address: { host: address, port: PORT },
        })),
        100,
      );
    }
  }

  until(condition: () => boolean, deadlineMs = 30_000): Promise<boolean> {
    return this.world.time.runUntil(condition, deadlineMs);
  }
}

export class LinkedNode implements PeersHost {
  readonly id: number;
  readonly platform: Platform;
  readonly address: string;
  readonly peers: Peers;
  /** Read at each connection. */
  given: () => Promise<PeerCredentials>;
  readonly lines: string[] = [];
  readonly stop = new AbortController();
  readonly messages: Message[] = [];
  readonly dropped: number[] = [];
  readonly refusals: Refusal[] = [];
  refuse: Refusal | null = null;
  nonce = "nonce";

  constructor(platform: Platform, address: string, id: number, given: PeerCredentials) {
    this.id = id;
    this.platform = platform;
    this.address = address;
    this.given = async () => given;
    const logger = recordingLogger(this.lines, () => platform.clock.mono());
    this.peers = new Peers(platform, logger, { host: address, port: PORT }, this);
  }

  async begin(): Promise<void> {
    await this.peers.listen();
    void this.peers.run(this.stop.signal);
  }

  get raftId(): number {
    return this.id;
  }
  credentials(): Promise<PeerCredentials> {
    return this.given();
  }
  hello(): Hello {
    return {
      protocol: PROTOCOL_VERSION,
      clusterId: "c",
      foundedMs: null,
      raftId: this.id,
      diskUuid: `disk${this.id}`,
      name: `n${this.id}`,
      version: "0",
      boots: 1,
      nonce: this.nonce,
      term: 0,
      vote: 0,
      lastTerm: 0,
      lastIndex: 0,
      installs: 0,
      heartbeatMs: 100,
      electionMs: 1000,
      unpacks: this.unpacks,
    };
  }
  unpacks: readonly string[] = ["zstd", "deflate"];
  packs = false;
  packsFor(): boolean {
    return this.packs;
  }
  judge(): Refusal | null {
    return this.refuse;
  }
  async remember(): Promise<void> {}
  status(): unknown {
    return { id: this.id };
  }
  onStatus(): void {}
  onMessage(message: Message): void {
    this.messages.push(message);
  }
  onDropped(raftId: number): void {
    this.dropped.push(raftId);
  }
  async onCall(_caller: Hello, method: string, args: unknown): Promise<unknown> {
    if (method === "echo") return args;
    throw Object.assign(new Error("no"), { kind: "conflict", next: "do this" });
  }
  onGuest(): void {}
  async onFetch(first: number, last: number): ReturnType<PeersHost["onFetch"]> {
    const entry = (index: number) => ({
      index,
      term: 1,
      type: 0 as const,
      data: Uint8Array.of(index),
    });
    return Array.from({ length: last - first + 1 }, (_, i) => entry(first + i));
  }
  onRefused(_raftId: number, refusal: Refusal): void {
    this.refusals.push(refusal);
  }
  onLinkChange(): void {}
  own(payload: Uint8Array): Uint8Array {
    return payload.slice();
  }
}
