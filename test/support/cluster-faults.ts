/** What can go wrong in a cluster of processes, one kind after the other; each heals again. */
import type { NodeProcess } from "../../demo/node-process.ts";
import type { SmallDisk } from "./mounts.ts";
import { LEARNER, type MysqlCluster, VOTERS } from "./mysql-cluster.ts";
import { waitFor } from "./wait-for.ts";

export interface Fault {
  /** For the log. */
  readonly what: string;
  /** A majority is left that can talk: commits have to go on before it heals. */
  readonly quorumStays: boolean;
  /** How long it stays at least. */
  readonly holdMs: number;
  readonly heal: () => Promise<void>;
}

export interface FaultContext {
  readonly made: MysqlCluster;
  readonly leader: NodeProcess;
  /** Which time this kind comes, from 0. */
  readonly turn: number;
  /** The disk of one of the voters; null where it cannot be mounted. */
  readonly disk: { readonly node: NodeProcess; readonly small: SmallDisk } | null;
}

type Kind = (context: FaultContext) => Promise<Fault>;

const FULL_DEADLINE_MS = 20_000;
const PARTITION_MS = 4_000;

function follower({ made, leader, turn }: FaultContext): NodeProcess {
  return made.followers(leader)[turn % 2]!;
}

async function killed(node: NodeProcess): Promise<Fault> {
  await node.kill();
  const heal = (): Promise<void> => node.start();
  return { what: `SIGKILL to ${node.name}`, quorumStays: true, holdMs: 200, heal };
}

function paused(node: NodeProcess): Fault {
  node.pause();
  const heal = async (): Promise<void> => node.resume();
  return { what: `SIGSTOP to ${node.name}`, quorumStays: true, holdMs: 5_000, heal };
}

function cutOff(made: MysqlCluster, node: NodeProcess, way: "both" | "says" | "hears"): Fault {
  made.network.isolate(node.name, way);
  const heal = async (): Promise<void> => made.network.heal();
  const said = { both: "is cut off", says: "is not heard", hears: "hears nobody" }[way];
  return { what: `${node.name} ${said}`, quorumStays: true, holdMs: PARTITION_MS, heal };
}

export const FAULTS: Readonly<Record<string, Kind>> = {
  "kill leader": ({ leader }) => killed(leader),
  "kill follower": (context) => killed(follower(context)),
  "kill all": async ({ made }) => {
    const names = [...VOTERS, LEARNER];
    await Promise.all(names.map((name) => made.cluster.node(name).kill()));
    const heal = (): Promise<void> => made.cluster.start();
    return { what: "SIGKILL to all nodes", quorumStays: false, holdMs: 1_500, heal };
  },
  "stop leader": async ({ leader }) => paused(leader),
  "stop follower": async (context) => paused(follower(context)),
  "cut off leader": async ({ made, leader }) => cutOff(made, leader, "both"),
  "cut off follower": async (context) => cutOff(context.made, follower(context), "both"),
  "one-way leader": async ({ made, leader, turn }) =>
    cutOff(made, leader, turn % 2 === 0 ? "says" : "hears"),
  "one-way follower": async (context) =>
    cutOff(context.made, follower(context), context.turn % 4 < 2 ? "says" : "hears"),
  "all cut off": async ({ made }) => {
    made.network.isolateAll();
    const heal = async (): Promise<void> => made.network.heal();
    return { what: "nobody hears anybody", quorumStays: false, holdMs: PARTITION_MS, heal };
  },
  "disk full": async ({ disk }) => {
    const { node, small } = disk!;
    await small.fill();
    const isFull = async (): Promise<boolean> => (await node.status()).storage.full;
    await waitFor(isFull, {
      deadlineMs: FULL_DEADLINE_MS,
      what: `the disk of ${node.name} to be full`,
    });
    const heal = (): Promise<void> => small.free();
    return { what: `the disk of ${node.name} is full`, quorumStays: true, holdMs: 1_000, heal };
  },
  "source connection": async ({ made, turn }) => {
    const { faults } = made.sourceProxy;
    // Every other time it also stays away.
    faults.refuse = turn % 2 === 1;
    made.sourceProxy.cut();
    const heal = async (): Promise<void> => made.sourceProxy.heal();
    return {
      what: `the connection to the source is cut${faults.refuse ? " and refused" : ""}`,
      quorumStays: !faults.refuse,
      holdMs: faults.refuse ? 2_000 : 0,
      heal,
    };
  },
};
