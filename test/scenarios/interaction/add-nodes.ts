/**
 * `add-nodes`: more nodes, empty ones or from a snapshot that all of them share. Options that etcd
 * raft's files do not have:
 *
 *   priority=9            is preferred to lead, among equal logs
 *   inflight-bytes=100    the window of payload bytes to each peer; 0 is none
 *   max-size-per-message=100
 *   hot-tail=2            the storage has the last two entries in memory; those before are answered
 *                         PENDING until `entries-arrived`
 */
import { DEFAULT_RAFT_CONFIG, type RaftConfig } from "../../../src/raft/config.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../src/raft/types.ts";
import { firstNumber, keyedValues, toBoolean, toNumber } from "../args.ts";
import type { Directive } from "../datadriven.ts";
import { Refused } from "../refused.ts";
import type { Environment } from "./environment.ts";
import { ScenarioNode } from "./scenario-node.ts";

type NodeConfig = Omit<RaftConfig, "id" | "storage" | "logger">;
type Draft = { -readonly [Key in keyof NodeConfig]: NodeConfig[Key] };

const NO_LIMIT = Number.POSITIVE_INFINITY;

function baseConfig(): Draft {
  return {
    ...DEFAULT_RAFT_CONFIG,
    applied: 0,
    electionTick: 3,
    heartbeatTick: 1,
    random: () => 0,
    asyncStorageWrites: false,
    deliverCommitted: true,
    maxSizePerMessage: NO_LIMIT,
    maxCommittedSizePerReady: NO_LIMIT,
    maxUncommittedSize: NO_LIMIT,
    maxInflightMessages: 2 ** 31 - 1,
    maxInflightBytes: 0,
    checkQuorum: false,
    preVote: false,
    reads: "safe",
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
    stepDownOnRemoval: false,
    priority: 0,
  };
}

interface Start {
  readonly config: Draft;
  readonly voters: number[];
  readonly learners: number[];
  index: number;
  content: string;
  hotTail: number;
}

/** Keys that are not here are passed over, as etcd raft does. */
const OPTIONS: Readonly<Record<string, (start: Start, value: string) => void>> = {
  voters: ({ voters }, value) => voters.push(toNumber(value)),
  learners: ({ learners }, value) => learners.push(toNumber(value)),
  index: (start, value) => {
    start.index = toNumber(value);
    start.config.applied = start.index;
  },
  content: (start, value) => {
    start.content = value;
  },
  inflight: ({ config }, value) => {
    config.maxInflightMessages = toNumber(value);
  },
  "async-storage-writes": ({ config }, value) => {
    config.asyncStorageWrites = toBoolean(value);
  },
  prevote: ({ config }, value) => {
    config.preVote = toBoolean(value);
  },
  checkquorum: ({ config }, value) => {
    config.checkQuorum = toBoolean(value);
  },
  "max-committed-size-per-ready": ({ config }, value) => {
    config.maxCommittedSizePerReady = toNumber(value) || NO_LIMIT;
  },
  "disable-conf-change-validation": ({ config }, value) => {
    config.disableConfChangeValidation = toBoolean(value);
  },
  "step-down-on-removal": ({ config }, value) => {
    config.stepDownOnRemoval = toBoolean(value);
  },
  "read-only": ({ config }, value) => {
    if (value !== "safe" && value !== "lease-based") {
      throw new Refused(`invalid read-only option "${value}"`);
    }
    config.reads = value === "safe" ? "safe" : "lease";
  },
  priority: ({ config }, value) => {
    config.priority = toNumber(value);
  },
  "inflight-bytes": ({ config }, value) => {
    config.maxInflightBytes = toNumber(value);
  },
  "max-size-per-message": ({ config }, value) => {
    config.maxSizePerMessage = toNumber(value);
  },
  "hot-tail": (start, value) => {
    start.hotTail = toNumber(value);
  },
};

export function addNodes(env: Environment, directive: Directive): void {
  const count = firstNumber(directive);
  const start: Start = {
    config: baseConfig(),
    voters: [],
    learners: [],
    index: 0,
    content: "",
    hotTail: NO_LIMIT,
  };
  for (const [key, value] of keyedValues(directive.args.slice(1))) OPTIONS[key]?.(start, value);
  const { config, hotTail } = start;
  const snapshot = snapshotOf(start);
  if (config.reads === "lease" && !config.checkQuorum) {
    throw new Refused("CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased");
  }
  for (let i = 0; i < count; i++) {
    const id = env.nodes.length + 1;
    env.nodes.push(new ScenarioNode({ ...config, id, logger: env.output }, snapshot, hotTail));
  }
}

function snapshotOf({ voters, learners, index, content }: Start): Snapshot | null {
  if (voters.length + learners.length + index + content.length === 0) return null;
  if (index <= 1) throw new Refused("index must be specified as > 1 due to bootstrap");
  const conf = { ...EMPTY_SNAPSHOT.conf, voters, learners };
  return { index, term: 1, conf, data: new TextEncoder().encode(content) };
}
