/** A node of its own that has pulled from a simulated source; and what becomes of it then. */
import assert from "node:assert/strict";
import type { VirtualTime } from "../../../runtime/memory/time.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import type { SyncerStateName, SyncerStatus } from "../../../src/syncer/host.ts";
import { NodeWorld } from "../cluster/world-node.ts";
import { WorldSource } from "../cluster/world-source.ts";

export const A = "aaaaaaaa-0000-0000-0000-000000000001";
export const B = "bbbbbbbb-0000-0000-0000-000000000002";

export class Pulling {
  readonly world: NodeWorld;
  readonly source: WorldSource;
  node: RunningNode;
  /** Of the source's newest file. */
  acked = 0;

  private constructor(world: NodeWorld, source: WorldSource, node: RunningNode) {
    this.world = world;
    this.source = source;
    this.node = node;
    source.onAck = ({ position }) => {
      this.acked = position;
    };
  }

  /** `fill` is what the source has before it is pulled from. */
  static async start(fill: (source: WorldSource) => void): Promise<Pulling> {
    const world = new NodeWorld(1);
    const source = await world.world.time.run(() =>
      WorldSource.start(world.world, "source-a", A, ""),
    );
    source.offerSemiSync("source");
    fill(source);
    const node = await world.start({ source: source.settings(world.machine) });
    const pulling = new Pulling(world, source, node);
    await pulling.has(source);
    return pulling;
  }

  get time(): VirtualTime {
    return this.world.world.time;
  }

  get syncer(): SyncerStatus {
    return this.node.status().syncer;
  }

  /** Starts another source beside the first. */
  another(uuid: string, purged: string): Promise<WorldSource> {
    return this.time.run(() => WorldSource.start(this.world.world, "source-b", uuid, purged));
  }

  /** While the node is down. */
  async away(change: () => unknown): Promise<void> {
    await this.time.run(() => this.node.stop());
    change();
    this.node = await this.world.start();
  }

  async has({ variables }: WorldSource, withinMs = 60_000): Promise<void> {
    const wanted = variables.get("gtid_executed");
    await this.until(() => this.node.gtid().executed === wanted, withinMs);
  }

  async is(state: SyncerStateName, withinMs = 60_000): Promise<void> {
    await this.until(() => this.syncer.state === state, withinMs);
  }

  async until(condition: () => boolean, withinMs = 60_000): Promise<void> {
    const { syncer } = this;
    const ok = await this.time.runUntil(condition, withinMs);
    assert.ok(
      ok,
      `${JSON.stringify({ was: syncer, is: this.syncer })}\n${this.world.lines.join("\n")}`,
    );
  }

  /** What replicas would get of a file. */
  async exported(name: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    await this.time.run(async () => {
      for await (const part of this.node.exportFile(name)) parts.push(part);
    });
    return Buffer.concat(parts);
  }

  async stop(): Promise<void> {
    await this.time.run(() => this.node.stop());
  }
}
