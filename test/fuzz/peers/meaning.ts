/**
 * Three nodes at work and somebody who knows their secret: he says what he likes, frame after frame, as a
 * guest, as a member that nobody knows yet, and in the name of each member. Afterwards no node has ended, the
 * same one leads in the same term, no log or commit index has moved, and members are listed as before.
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import type { Hello } from "../../../src/peers/protocol.ts";
import { PEER_PORT, SECRET, type SimNode } from "../../sim/nodes/node.ts";
import { Stranger, strangerHello } from "../../support/stranger.ts";
import { idOf, running, SimNodes } from "../../unit/cluster/sim-nodes.ts";
import { HostileFrames, packed, type Target } from "./hostile-frames.ts";
import { ALL_KINDS } from "./kinds.ts";

const ROLES = ["guest", "unknown", "member", "odd"] as const;
type Role = (typeof ROLES)[number];

/** Of one connection. */
const MOST_FRAMES = 12;
const UNKNOWN_ID = 9;

export interface Reached {
  frames: number;
  connections: number;
  /** By kind: how often it was sent, and how often the link stood behind it. */
  readonly sent: Record<string, number>;
  readonly stood: Record<string, number>;
  /** Connections that were greeted, by role, and those that were not. */
  readonly greeted: Record<string, number>;
  readonly refused: Record<string, number>;
  /** Why links ended, as nodes say it, without numbers; a node says only so many a minute. */
  readonly reasons: Record<string, number>;
}

export class MeaningFuzz {
  readonly nodes: SimNodes;
  readonly #random: SeededRandom;
  readonly #frames: HostileFrames;
  readonly #reached: Reached = {
    frames: 0,
    connections: 0,
    sent: {},
    stood: {},
    greeted: {},
    refused: {},
    reasons: {},
  };

  constructor(seed: number) {
    this.nodes = new SimNodes(seed);
    this.#random = new SeededRandom(seed).fork("meaning");
    this.#frames = new HostileFrames(this.#random);
  }

  /** Rejects when something came of it. */
  async run(frames: number): Promise<Reached> {
    await this.nodes.formed(3);
    await this.nodes.until("all know all", () =>
      this.nodes.nodes.every(
        ({ node }) =>
          node?.cluster().members.length === 3 &&
          node.cluster().members.every((one) => one.connected && one.peerAddress !== ""),
      ),
    );
    await this.nodes.world.time.advance(3_000);
    const before = this.#state();
    const platform = this.nodes.world.machine("stranger").start();
    while (this.#reached.frames < frames) {
      const node = this.nodes.nodes[this.#random.below(3)]!;
      const role = ROLES[this.#random.below(ROLES.length)]!;
      const hello = this.#hello(role, node);
      const address = { host: node.machine.address, port: PEER_PORT };
      const stranger = await this.nodes.run(() => Stranger.come(platform, address, SECRET, hello));
      await this.#converse(stranger, role, node);
      stranger.leave();
      this.#mustBe(before, `connection ${this.#reached.connections} as ${role}`);
    }
    await this.nodes.world.time.advance(5_000);
    this.#mustBe(before, "the end");
    this.#gather();
    return this.#reached;
  }

  async #converse(stranger: Stranger, role: Role, node: SimNode): Promise<void> {
    const reached = this.#reached;
    reached.connections++;
    await this.nodes.world.time.advance(6);
    count(stranger.isGreeted ? reached.greeted : reached.refused, role);
    const target = this.#target(role, node);
    // Whether he is greeted or not: nodes must not mind what comes behind a hello.
    for (let i = 0; i <= this.#random.below(MOST_FRAMES) && !stranger.isClosed; i++) {
      const { what, kind, body } = this.#frames.next(target);
      stranger.send(kind, body);
      reached.frames++;
      count(reached.sent, what);
      await this.nodes.world.time.advance(4);
      if (!stranger.isClosed) count(reached.stood, what);
    }
  }

  #target(role: Role, node: SimNode): Target {
    const { driver, log, state } = running(node).core;
    const from = role === "member" ? (idOf(node) % 3) + 1 : UNKNOWN_ID;
    const { term } = driver;
    return { from, to: idOf(node), term, lastIndex: log.lastIndex, snapshot: state.encode() };
  }

  #hello(role: Role, node: SimNode): unknown {
    const { clusterId } = running(node).core.log.identity;
    if (role === "guest")
      return strangerHello({ clusterId: this.#random.below(2) ? clusterId : "" });
    if (role === "unknown")
      return strangerHello({
        clusterId,
        raftId: UNKNOWN_ID + this.#random.below(3),
        diskUuid: String(this.#random.below(9)).repeat(32),
        term: 2 ** this.#random.below(48),
        lastIndex: 2 ** this.#random.below(48),
      });
    if (role === "member") return this.#inTheNameOf(node, clusterId);
    const right = strangerHello({ clusterId, raftId: this.#random.below(12) });
    const keys = Object.keys(right) as (keyof Hello)[];
    const key = keys[this.#random.below(keys.length)]!;
    return packed({ ...right, [key]: this.#frames.odd() });
  }

  #inTheNameOf(node: SimNode, clusterId: string): Hello {
    const raftId = (idOf(node) % 3) + 1;
    const other = this.nodes.nodes.find((one) => idOf(one) === raftId)!;
    const { log, driver } = running(other).core;
    const { diskUuid } = log.identity;
    return strangerHello({
      clusterId,
      raftId,
      diskUuid,
      boots: 2 + this.#random.below(2 ** 20),
      term: driver.term + this.#random.below(3),
      lastTerm: driver.term,
      lastIndex: log.lastIndex + this.#random.below(3),
    });
  }

  #state(): string {
    return this.nodes.nodes
      .map((node) => {
        const { driver, log, state } = running(node).core;
        const { fenced, node: raft } = driver.consensus;
        const { members } = running(node).cluster();
        const named = members.map(({ id, name, role }) => [id, name, role]);
        return JSON.stringify([
          idOf(node),
          [driver.term, driver.commit, driver.applied, log.lastIndex, state.entryHash],
          [raft.leader, raft.role, fenced, state.settings.syncer],
          named,
        ]);
      })
      .join("\n");
  }

  #mustBe(before: string, what: string): void {
    const [ended] = this.nodes.ended;
    if (ended !== undefined) throw new Error(`A node ended (${what}): ${ended.stack}`);
    const now = this.#state();
    if (now !== before) throw new Error(`Something came of it (${what}):\n${before}\n${now}`);
  }

  #gather(): void {
    for (const { lines } of this.nodes.nodes) {
      for (const line of lines) {
        const reason = /peer port was refused .*"reason":"([^"]*)/.exec(line)?.[1];
        const known = reason ?? /No link to a node .*"id":9.*"reason":"([^"]*)/.exec(line)?.[1];
        if (known !== undefined)
          count(this.#reached.reasons, known.replace(/[0-9]+/g, "N").slice(0, 80));
      }
    }
  }
}

const FRAMES_PER_WORLD = 20_000;

/** So many frames, in one world after the other. Rejects when something came of them, or a kind was not sent. */
export async function meaningRounds(
  frames: number,
  from: number,
  say: (line: string) => void,
): Promise<Reached> {
  let all: Reached | null = null;
  for (let seed = from; (all?.frames ?? 0) < frames; seed++) {
    const some = Math.min(FRAMES_PER_WORLD, frames - (all?.frames ?? 0));
    const reached = await new MeaningFuzz(seed).run(some);
    all = all === null ? reached : sum(all, reached);
    say(`seed ${seed}: ${all.frames} frames, ${all.connections} connections`);
  }
  const missing = unreachedKinds(all!);
  if (missing.length > 0) throw new Error(`Nothing was shown about ${missing.join(", ")}`);
  return all!;
}

function sum(a: Reached, b: Reached): Reached {
  const add = (
    x: Readonly<Record<string, number>>,
    y: Readonly<Record<string, number>>,
  ): Record<string, number> => {
    const out = { ...x };
    for (const [key, value] of Object.entries(y)) out[key] = (out[key] ?? 0) + value;
    return out;
  };
  return {
    frames: a.frames + b.frames,
    connections: a.connections + b.connections,
    sent: add(a.sent, b.sent),
    stood: add(a.stood, b.stood),
    greeted: add(a.greeted, b.greeted),
    refused: add(a.refused, b.refused),
    reasons: add(a.reasons, b.reasons),
  };
}

/** Kinds of frames that this run said nothing about. */
export function unreachedKinds({ sent, stood, greeted, refused }: Reached): string[] {
  const missing = ALL_KINDS.filter((kind) => (sent[kind] ?? 0) === 0);
  // What makes sense is passed over, and the link stands: that was met, too.
  for (const kind of ALL_KINDS)
    if (kind.startsWith("RAFT") && kind !== "RAFT MsgTransferLeader" && !stood[kind])
      missing.push(`${kind} that makes sense`);
  const ended = Object.keys(sent).filter((kind) => sent[kind]! > (stood[kind] ?? 0));
  if (ended.length < 10) missing.push(`links that a frame ended: ${ended.length} kinds`);
  for (const role of ["guest", "unknown"]) if (!greeted[role]) missing.push(`${role}, greeted`);
  for (const role of ["member", "odd"]) if (!refused[role]) missing.push(`${role}, refused`);
  return missing;
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
