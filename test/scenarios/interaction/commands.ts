/** What each directive of an interaction does. */
import { message } from "../../../src/raft/types.ts";
import { firstNumber, keyedValues, numbers, required, toNumber } from "../args.ts";
import { BadFile, type Directive } from "../datadriven.ts";
import { describeEntries, describeMessage, describeProgressMap, roleName } from "../format.ts";
import { Refused } from "../refused.ts";
import { addNodes } from "./add-nodes.ts";
import { deliverMessages } from "./deliver-messages.ts";
import type { Environment } from "./environment.ts";
import { OWN_COMMANDS } from "./own-commands.ts";
import { proposeConfChange } from "./propose-conf-change.ts";
import type { ScenarioNode } from "./scenario-node.ts";
import { stabilize } from "./stabilize.ts";

type Command = (env: Environment, directive: Directive) => void;

export const COMMANDS: Readonly<Record<string, Command>> = {
  ...OWN_COMMANDS,
  /** A place to stop at in a debugger. */
  _breakpoint: () => {},
  "add-nodes": addNodes,
  campaign: (env, directive) => first(env, directive).raw.campaign(),
  compact: (env, directive) => {
    const node = first(env, directive);
    const index = secondNumber(directive);
    if (index < node.storage.firstIndex()) {
      throw new Refused("requested index is unavailable due to compaction");
    }
    node.storage.compact(index);
    writeLog(env, node);
  },
  "deliver-msgs": deliverMessages,
  "forget-leader": (env, directive) => first(env, directive).raw.forgetLeader(),
  "log-level": (env, directive) => env.output.setLevel(onlyWord(directive)),
  "process-append-thread": (env, directive) =>
    forEach(env, directive, "processing append thread", (node) => env.processAppendThread(node)),
  "process-apply-thread": (env, directive) =>
    forEach(env, directive, "processing apply thread", (node) => env.processApplyThread(node)),
  "process-ready": (env, directive) =>
    forEach(env, directive, "handling Ready", (node) => env.processReady(node)),
  propose: proposeData,
  "propose-conf-change": proposeConfChange,
  "raft-log": (env, directive) => writeLog(env, first(env, directive)),
  "raft-state": (env) => {
    for (const { id, raw } of env.nodes) {
      const { role, tracker, term, leader } = raw.raft;
      const voter = tracker.voterIds().includes(id) ? "Voter" : "Non-Voter";
      env.output.write(`${id}: ${roleName(role)} (${voter}) Term:${term} Lead:${leader}\n`);
    }
  },
  "report-unreachable": (env, directive) => {
    const [node, peer] = pair(env, directive);
    node.raw.reportUnreachable(peer.id);
  },
  "send-snapshot": (env, directive) => {
    const [from, to] = pair(env, directive);
    const { term } = from.raw.raft;
    const snapshot = from.storage.snapshot();
    const sent = message("MsgSnap", { from: from.id, to: to.id, term, snapshot });
    env.messages.push(sent);
    env.output.write(describeMessage(sent));
  },
  "set-randomized-election-timeout": (env, directive) => {
    const ticks = toNumber(required(directive, "timeout"));
    if (ticks === 0) throw new BadFile("a time-out takes a tick or more");
    first(env, directive).raw.raft.randomizedElectionTimeout = ticks;
  },
  stabilize: (env, directive) => {
    const ids = numbers(directive.args);
    const nodes = ids.length === 0 ? env.nodes : ids.map((id) => env.node(id));
    const { level } = env.output;
    try {
      for (const [key, value] of keyedValues(directive.args)) {
        if (key === "log-level") env.output.setLevel(value);
      }
      stabilize(env, nodes);
    } finally {
      env.output.level = level;
    }
  },
  status: (env, directive) => {
    const { role, tracker } = first(env, directive).raw.raft;
    // Only a leader knows about the others.
    if (role === "leader") env.output.write(describeProgressMap(tracker.progress));
  },
  "tick-election": (env, directive) => {
    const node = first(env, directive);
    for (let i = 0; i < node.config.electionTick; i++) node.raw.tick();
  },
  "tick-heartbeat": (env, directive) => {
    const node = first(env, directive);
    for (let i = 0; i < node.config.heartbeatTick; i++) node.raw.tick();
  },
  "transfer-leadership": (env, directive) => {
    const from = env.node(toNumber(required(directive, "from")));
    from.raw.transferLeader(env.node(toNumber(required(directive, "to"))).id);
  },
};

function first(env: Environment, directive: Directive): ScenarioNode {
  return env.node(firstNumber(directive));
}

function secondNumber({ command, args }: Directive): number {
  if (args[1] === undefined) throw new BadFile(`${command} takes two numbers`);
  return toNumber(args[1].key);
}

function onlyWord({ command, args }: Directive): string {
  const [only, ...more] = args;
  if (only === undefined || more.length > 0) throw new BadFile(`${command} takes one word`);
  return only.key;
}

function pair(env: Environment, { command, args }: Directive): [ScenarioNode, ScenarioNode] {
  const [one, other, ...more] = numbers(args);
  if (one === undefined || other === undefined || more.length > 0) {
    throw new BadFile(`${command} takes two nodes`);
  }
  return [env.node(one), env.node(other)];
}

/** More than one node are told apart by a line in front of each. */
function forEach(
  env: Environment,
  { args }: Directive,
  what: string,
  fn: (node: ScenarioNode) => void,
): void {
  const nodes = numbers(args).map((id) => env.node(id));
  if (nodes.length === 1) {
    fn(nodes[0]!);
    return;
  }
  for (const node of nodes) {
    env.output.write(`> ${node.id} ${what}\n`);
    env.output.indented(() => fn(node));
  }
}

function proposeData(env: Environment, directive: Directive): void {
  const [, payload, ...more] = directive.args;
  if (payload === undefined || payload.values.length > 0 || more.length > 0) {
    throw new BadFile("propose takes a node and one word");
  }
  first(env, directive).raw.propose(new TextEncoder().encode(payload.key));
}

function writeLog({ output }: Environment, { storage }: ScenarioNode): void {
  const low = storage.firstIndex();
  const last = storage.lastIndex();
  if (last < low) {
    output.write(`log is empty: first index=${low}, last index=${last}`);
    return;
  }
  const entries = storage.stored(low, last + 1, Number.POSITIVE_INFINITY);
  if (typeof entries === "string") throw new Refused(`the log is ${entries}`);
  output.write(describeEntries(entries));
}
