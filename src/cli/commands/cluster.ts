/** `binraft cluster`: the whole: who leads, how many must agree, how much binlog is kept. */
import type { Command } from "commander";
import type { LeaderDocument, Retention } from "../../admin/cluster-schema.ts";
import type { ClusterStatus } from "../../cluster/operations.ts";
import { parseSize } from "../../config/kinds.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { formatBytes, type Output } from "../output.ts";
import { act, type VerbTable } from "../verb.ts";
import { named, printMembers, quorumOf } from "./member.ts";
import { addPlacementVerbs } from "./placement.ts";

const NO_BOUND = "none";

interface RetentionOptions extends GlobalOptions {
  readonly bytes?: string;
  readonly hours?: string;
}

export function addClusterVerbs(program: Command, table: VerbTable): void {
  const cluster = program.command("cluster").description("the cluster as a whole");
  cluster
    .command("show")
    .description("show who leads, how many voters are there, and the members")
    .action(
      act(table, async (verb) => {
        const status = await (await verb.connect()).get<ClusterStatus>("/v1/cluster");
        verb.output.result(status, () => printCluster(verb.output, status));
      }),
    );
  cluster
    .command("transfer-leader")
    .argument("[MEMBER]", "name or id of the next leader; the leader chooses by default")
    .description("hand leadership over, without an election's wait")
    .action(
      act(table, async (verb, member) => {
        const node = await verb.connect();
        const body = member === undefined ? {} : { member };
        const answer = await node.send<LeaderDocument>("POST", "/v1/cluster/leader", body);
        verb.output.result(answer, () => {
          const leader = named({ name: answer.leaderName, id: answer.leaderId });
          verb.output.line(`Member ${leader} leads`);
        });
      }),
    );
  cluster
    .command("retention")
    .option("--bytes <SIZE>", `binlog to keep, by size, such as 100GiB; "${NO_BOUND}" for no bound`)
    .option("--hours <NUMBER>", `binlog to keep, by age; "${NO_BOUND}" for no bound`)
    .description("show how much binlog is kept, or set it on every node; what is left out stays")
    .action(
      act<RetentionOptions>(table, async (verb) => {
        const { bytes, hours } = verb.options;
        // Before the node is asked: a typing error changes nothing.
        const change = { ...size(bytes), ...age(hours) };
        const node = await verb.connect();
        let retention = await node.get<Retention>("/v1/cluster/retention");
        if (Object.keys(change).length > 0) {
          const wanted = { ...retention, ...change };
          retention = await node.send<Retention>("PUT", "/v1/cluster/retention", wanted);
        }
        verb.output.result(retention, () =>
          verb.output.facts([
            ["by size", bySize(retention.bytes)],
            ["by age", byAge(retention.hours)],
          ]),
        );
      }),
    );
  addPlacementVerbs(cluster, table);
}

function printCluster(output: Output, status: ClusterStatus): void {
  output.facts([
    ["cluster", status.clusterId],
    ["quorum", quorumOf(output, status)],
    ["term", String(status.term)],
    ["change", status.joint ? "members are being changed" : ""],
    ["timing", `heartbeat ${status.heartbeatMs} ms, election ${status.electionMs} ms`],
    [
      "retention",
      `${bySize(status.retentionBytes)} by size, ${byAge(status.retentionHours)} by age`,
    ],
    ["log format", String(status.formatVersion)],
  ]);
  output.line();
  printMembers(output, status.members);
}

function size(given: string | undefined): Partial<Retention> {
  if (given === undefined) return {};
  if (given === NO_BOUND) return { bytes: null };
  const bytes = parseSize(given);
  if (bytes === null || bytes < 1)
    throw usage(`Invalid size "${given}": expected bytes, such as 100GiB, or ${NO_BOUND}`);
  return { bytes };
}

function age(given: string | undefined): Partial<Retention> {
  if (given === undefined) return {};
  if (given === NO_BOUND) return { hours: null };
  if (!/^[1-9][0-9]{0,5}$/.test(given))
    throw usage(`Invalid hours "${given}": expected a whole number above 0, or ${NO_BOUND}`);
  return { hours: Number(given) };
}

function bySize(bytes: number | null): string {
  return bytes === null ? "no bound" : formatBytes(bytes);
}

function byAge(hours: number | null): string {
  return hours === null ? "no bound" : `${hours} h`;
}

function usage(message: string): CliError {
  return new CliError(ExitCode.USAGE, "BR5003", message);
}
