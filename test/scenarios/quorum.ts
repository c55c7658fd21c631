/**
 * The quorum files: what two majorities have committed, and how a vote stands.
 *
 *   committed cfg=(1,2) cfgj=(2,3) idx=(100,_,99)
 *   vote cfg=(1,2) cfgj=zero votes=(y,_)
 *
 * Each distinct voter of (cfg, cfgj) has one slot, `_` when nothing was heard of it. With `cfgj` the
 * joint path is taken, also if that half is empty. Every answer is worked out a second way too; a
 * difference is printed, and so fails the file.
 */
import {
  ascending,
  type JointConfig,
  jointCommitted,
  jointIds,
  jointVote,
  type MajorityConfig,
  majorityCommitted,
  majorityVote,
  type VoteResult,
} from "../../src/raft/quorum.ts";
import { keyedValues, toNumber } from "./args.ts";
import { BadFile, type Directive } from "./datadriven.ts";
import { list } from "./go-text.ts";
import { describeIndex, quorumChart } from "./quorum-chart.ts";

interface Input {
  readonly isJoint: boolean;
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
  /** Voters in the order of the slots. */
  readonly order: readonly number[];
  readonly slots: readonly string[];
}

const VOTE_NAMES: Readonly<Record<VoteResult, string>> = {
  pending: "VotePending",
  lost: "VoteLost",
  won: "VoteWon",
};

export function handleQuorum(directive: Directive): string {
  const input = read(directive);
  const config = { incoming: input.incoming, outgoing: input.outgoing };
  const voters = jointIds(config);
  if (voters.length !== input.slots.length) {
    return `error: mismatched input (explicit or _) for voters ${list(voters)}: ${input.slots}`;
  }
  if (directive.command === "vote") return vote(input, config);
  const acked = indexes(input);
  return input.isJoint ? jointCommit(config, acked) : majorityCommit(input.incoming, acked);
}

function read({ command, args }: Directive): Input {
  const slotKey = { committed: "idx", vote: "votes" }[command];
  if (slotKey === undefined) throw new BadFile(`unknown command: ${command}`);
  const halves: Record<string, number[]> = { cfg: [], cfgj: [] };
  const slots: string[] = [];
  for (const [key, value] of keyedValues(args)) {
    if (key === slotKey) slots.push(value);
    else if (halves[key] === undefined) throw new BadFile(`unknown argument: ${key}`);
    else if (key !== "cfgj" || value !== "zero") halves[key].push(toNumber(value));
  }
  const { cfg, cfgj } = halves as { cfg: number[]; cfgj: number[] };
  const zero = args.find((arg) => arg.key === "cfgj")?.values;
  if (zero?.includes("zero") && zero.length > 1) throw new BadFile("zero stands alone");
  return {
    isJoint: zero !== undefined,
    incoming: ascending(new Set(cfg)),
    outgoing: ascending(new Set(cfgj)),
    order: [...new Set([...cfg, ...cfgj])],
    slots,
  };
}

function indexes({ order, slots }: Input): Map<number, number> {
  const acked = new Map<number, number>();
  for (const [position, slot] of slots.entries()) {
    if (slot === "_") continue;
    if (toNumber(slot) === 0) throw new BadFile("an index of 0 is written as _");
    acked.set(order[position]!, toNumber(slot));
  }
  return acked;
}

function vote({ isJoint, incoming, order, slots }: Input, config: JointConfig): string {
  const answers = new Map<number, boolean>();
  for (const [position, slot] of slots.entries()) {
    if (!["y", "n", "_"].includes(slot)) throw new BadFile(`unknown vote: ${slot}`);
    if (slot !== "_") answers.set(order[position]!, slot === "y");
  }
  const answer = (id: number): boolean | undefined => answers.get(id);
  const result = isJoint ? jointVote(config, answer) : majorityVote(incoming, answer);
  const others: (readonly [string, VoteResult])[] = isJoint
    ? [["via symmetry", jointVote(swap(config), answer)]]
    : [];
  const differing = others.filter(([, other]) => other !== result);
  const lines = differing.map(([how, other]) => `${VOTE_NAMES[other]} <-- ${how}\n`);
  return `${lines.join("")}${VOTE_NAMES[result]}\n`;
}

function swap({ incoming, outgoing }: JointConfig): JointConfig {
  return { incoming: outgoing, outgoing: incoming };
}

function jointCommit(config: JointConfig, acked: ReadonlyMap<number, number>): string {
  const of = (id: number): number => acked.get(id) ?? 0;
  const index = jointCommitted(config, of);
  const others = [["via symmetry", jointCommitted(swap(config), of)]] as const;
  return commitText(jointIds(config), acked, index, others);
}

function majorityCommit(voters: MajorityConfig, acked: ReadonlyMap<number, number>): string {
  const of = (id: number): number => acked.get(id) ?? 0;
  const index = majorityCommitted(voters, of);
  const others: (readonly [string, number])[] = [
    ["via alternative computation", countingCommitted(voters, of)],
    ["via zero-joint quorum", jointCommitted({ incoming: voters, outgoing: [] }, of)],
    ["via self-joint quorum", jointCommitted({ incoming: voters, outgoing: voters }, of)],
  ];
  // Who is behind what is committed could be further behind: it would not matter.
  for (const [id, own] of acked) {
    if (own >= index) continue;
    for (const lower of [own - 1, 0]) {
      const overlaid = majorityCommitted(voters, (one) => (one === id ? lower : of(one)));
      others.push([`overlaying ${id}->${lower}`, overlaid]);
    }
  }
  return commitText(voters, acked, index, others);
}

/** The highest index that enough voters have reached, found by counting for each candidate. */
function countingCommitted(voters: MajorityConfig, acked: (id: number) => number): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const quorum = Math.floor(voters.length / 2) + 1;
  const reached = (index: number): number => voters.filter((id) => acked(id) >= index).length;
  return Math.max(0, ...voters.map(acked).filter((index) => reached(index) >= quorum));
}

function commitText(
  voters: MajorityConfig,
  acked: ReadonlyMap<number, number>,
  index: number,
  others: readonly (readonly [string, number])[],
): string {
  const differing = others.filter(([, other]) => other !== index);
  const lines = differing.map(([how, other]) => `${describeIndex(other)} <-- ${how}\n`);
  return `${quorumChart(voters, acked)}${lines.join("")}${describeIndex(index)}\n`;
}
