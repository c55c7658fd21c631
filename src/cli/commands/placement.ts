/** `binraft cluster placement` and `nearest`: where voters and leader should be, and who serves a region. */
import type { Command } from "commander";
import type { ClusterStatus, NearNode, PlacementStatus } from "../../cluster/operations.ts";
import type { PlacementSettings } from "../../cluster/policies.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import type { Output } from "../output.ts";
import { act, type VerbTable } from "../verb.ts";

interface PlacementOptions extends GlobalOptions {
  readonly apply?: boolean;
  readonly mode?: string;
  readonly voters?: string;
  readonly leaderRegion?: string;
}

const PATH = "/v1/cluster/placement";

export function addPlacementVerbs(cluster: Command, table: VerbTable): void {
  cluster
    .command("placement")
    .option("--apply", "make the voters those of the plan, in one step")
    .option("--mode <MODE>", "auto: the leader applies plans by itself; manual: it does not")
    .option("--voters <NUMBER>", "voters that the plan aims at, an odd number")
    .option("--leader-region <REGION>", 'where the leader is to be; "" for where the source is')
    .description("show where voters and leader are and should be, and why; or change that")
    .action(
      act<PlacementOptions>(table, async (verb) => {
        const change = changeOf(verb.options);
        const node = await verb.connect();
        let status =
          Object.keys(change).length > 0
            ? await node.send<PlacementStatus>("PUT", PATH, change)
            : await node.get<PlacementStatus>(PATH);
        if (verb.options.apply === true)
          status = await node.send<PlacementStatus>("POST", `${PATH}/apply`);
        const { members } = await node.get<ClusterStatus>("/v1/cluster");
        const names = new Map(members.map(({ id, name }) => [id, name]));
        verb.output.result(status, () => printPlacement(verb.output, status, names));
      }),
    );
  cluster
    .command("nearest")
    .argument("<REGION>", "where the replicas are, such as fra")
    .description("list the nodes that serve, the nearest to a region first")
    .action(
      act(table, async (verb, region) => {
        const query = `region=${encodeURIComponent(region!)}`;
        const answer = await (await verb.connect()).get<{ items: NearNode[] }>(
          `/v1/nearest?${query}`,
        );
        verb.output.result(answer, () =>
          verb.output.table(
            ["ID", "NAME", "REGION", "RTT MS", "BEHIND", "MYSQL"],
            answer.items.map(({ id, name, region: there, rttMs, lagEntries, mysqlAddress }) => [
              id,
              name,
              there,
              Math.round(rttMs),
              lagEntries,
              mysqlAddress,
            ]),
          ),
        );
      }),
    );
}

function changeOf({
  mode,
  voters,
  leaderRegion,
}: PlacementOptions): Record<string, PlacementSettings[keyof PlacementSettings]> {
  const change: Record<string, PlacementSettings[keyof PlacementSettings]> = {};
  if (mode !== undefined) {
    if (mode !== "auto" && mode !== "manual")
      throw usage(`Invalid mode "${mode}": expected auto or manual`);
    change["mode"] = mode;
  }
  if (voters !== undefined) {
    if (!/^[13579]$/.test(voters))
      throw usage(`Invalid number of voters "${voters}": expected 1, 3, 5, 7 or 9`);
    change["voters"] = Number(voters);
  }
  if (leaderRegion !== undefined)
    change["leaderRegion"] = leaderRegion === "" ? null : leaderRegion;
  return change;
}

function printPlacement(
  output: Output,
  status: PlacementStatus,
  names: ReadonlyMap<number, string>,
): void {
  const { plan } = status;
  const named = (ids: readonly number[]): string =>
    ids.map((id) => names.get(id) ?? `member ${id}`).join(", ");
  output.facts([
    ["mode", status.mode],
    ["voters", `${named(status.current)} (${status.voters} wanted)`],
    ["leader", names.get(status.leaderId) ?? ""],
    ["leader region", status.leaderRegion ?? status.sourceRegion ?? "anywhere"],
    ["last", status.last],
  ]);
  for (const finding of status.findings) output.line(`! ${finding}`);
  output.line();
  if (plan === null) output.line("No node may vote now: there is no plan");
  else {
    output.line(`Plan: ${named(plan.voters)}`);
    for (const reason of plan.reasons) output.line(`  ${reason}`);
    for (const finding of plan.findings) output.line(`  ! ${finding}`);
    if (plan.promote.length + plan.demote.length === 0) output.line("  The voters are those");
    else {
      if (plan.promote.length > 0) output.line(`  Gets a vote: ${named(plan.promote)}`);
      if (plan.demote.length > 0) output.line(`  Becomes a learner: ${named(plan.demote)}`);
      output.line(
        status.mode === "auto" && plan.worthIt
          ? "  The leader applies it in a moment"
          : "  binraft cluster placement --apply makes it so",
      );
    }
  }
  if (status.rtts.length === 0) return;
  output.line();
  output.table(
    ["FROM", "TO", "RTT MS", "KNOWN BY"],
    status.rtts.map(({ from, to, rttMs, measured }) => [
      from,
      to,
      rttMs === null ? null : Math.round(rttMs * 10) / 10,
      measured ? "measured" : rttMs === null ? "" : "estimated",
    ]),
  );
}

function usage(message: string): CliError {
  return new CliError(ExitCode.USAGE, "BR5003", message);
}
