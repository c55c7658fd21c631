/** `binraft member`: who belongs to the cluster. Any node takes these; the leader decides. */
import type { Command } from "commander";
import { printable } from "../../base/logger.ts";
import type { ClusterStatus, MemberStatus } from "../../cluster/operations.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { type Output, plural } from "../output.ts";
import { act, type Verb, type VerbTable } from "../verb.ts";
import { explain } from "./explain.ts";

interface RemoveOptions extends GlobalOptions {
  readonly confirm?: string;
}

export function addMemberVerbs(program: Command, table: VerbTable): void {
  const member = program.command("member").description("the members of the cluster");
  member
    .command("list")
    .description("list them, as the node sees them")
    .action(
      act(table, async (verb) => {
        const answer = await (await verb.connect()).get<{ items: MemberStatus[] }>("/v1/members");
        verb.output.result(answer, () => printMembers(verb.output, answer.items));
      }),
    );
  member
    .command("add")
    .argument("<HOST:PORT>", "its listen.peer, as the members reach it")
    .description("invite a fresh node that waits to join; it becomes a learner")
    .action(
      act(table, async (verb, address) => {
        const node = await verb.connect();
        const added = await node.send<MemberStatus>("POST", "/v1/members", { address });
        const { output } = verb;
        output.result(added, () => {
          output.line(`Member ${named(added)} is added as a ${added.role}`);
          output.line(`Once it is caught up: binraft member promote ${added.id}`);
        });
      }),
    );
  for (const [name, text] of [
    ["promote", "make a learner that is caught up a voter"],
    ["demote", "make a voter a learner"],
  ] as const) {
    member
      .command(name)
      .argument("<MEMBER>", "its name or id")
      .description(text)
      .action(
        act(table, async (verb, given) => {
          const node = await verb.connect();
          const changed = await node.send<MemberStatus>("POST", `${pathOf(given!)}/${name}`);
          const cluster = await node.get<ClusterStatus>("/v1/cluster");
          verb.output.result(changed, () => {
            verb.output.line(`Member ${named(changed)} is a ${changed.role}`);
            for (const warning of voterWarnings(cluster)) verb.output.line(`! ${warning}`);
          });
        }),
      );
  }
  member
    .command("replace")
    .argument("<OLD>", "the voter that goes, for good")
    .argument("<NEW>", "the learner that becomes a voter")
    .description("replace a voter by a learner in one step, so that no quorum is lost between")
    .action(
      act(table, async (verb, old, fresh) => {
        const node = await verb.connect();
        const path = `${pathOf(old!)}/replace`;
        const made = await node.send<MemberStatus>("POST", path, { with: fresh });
        verb.output.result(made, () =>
          verb.output.line(`Member ${named(made)} is a ${made.role} instead of ${old}`),
        );
      }),
    );
  addRemove(member, table);
}

function addRemove(member: Command, table: VerbTable): void {
  member
    .command("remove")
    .argument("<MEMBER>", "its name or id")
    .option("--confirm <MEMBER>", "do it; without, only show what it would do")
    .description("remove a member for good")
    .action(
      act<RemoveOptions>(table, async (verb, given) => {
        const node = await verb.connect();
        const gone = await node.get<MemberStatus>(pathOf(given!));
        const { confirm } = verb.options;
        if (confirm === undefined) {
          return explainRemoval(verb, gone, await node.get<ClusterStatus>("/v1/cluster"));
        }
        if (confirm !== gone.name && confirm !== String(gone.id)) {
          throw new CliError(
            ExitCode.USAGE,
            "BR5002",
            `--confirm says "${confirm}", but the member is ${named(gone)}`,
            "binraft member list",
          );
        }
        // By the id: a name could be another's by now.
        await node.remove(pathOf(String(gone.id)));
        verb.output.result({ removed: gone.id, name: gone.name }, () =>
          verb.output.line(`Member ${named(gone)} is removed`),
        );
      }),
    );
}

function explainRemoval(verb: Verb, gone: MemberStatus, cluster: ClusterStatus): void {
  const voters = cluster.voters - (gone.role === "voter" ? 1 : 0);
  const quorum = Math.floor(voters / 2) + 1;
  explain(
    verb,
    {
      member: named(gone),
      region: gone.region,
      role: roleOf(gone),
      connected: gone.connected ? "yes" : "no",
      "voters then": `${voters}, of which ${Math.max(0, voters - quorum)} may fail`,
    },
    "It leaves for good: its id and its disk never come back. To join again it needs an empty data " +
      "directory and binraft member add. Replicas that follow it have to be sent to another node.",
    `binraft member remove ${gone.id} --confirm ${gone.name}`,
  );
}

export function named({ name, id }: Pick<MemberStatus, "name" | "id">): string {
  return `${name} (id ${id})`;
}

function pathOf(member: string): string {
  return `/v1/members/${encodeURIComponent(member)}`;
}

function roleOf({ role, leader, fromNow }: MemberStatus): string {
  if (leader) return `${role}, leader`;
  return fromNow ? `${role}, from now` : role;
}

export function printMembers(output: Output, members: readonly MemberStatus[]): void {
  output.table(
    ["ID", "NAME", "REGION", "ROLE", "CONNECTED", "BEHIND", "SERVER", "PEER", "MYSQL", "VERSION"],
    members.map((member) => [
      member.id,
      member.name,
      member.region,
      roleOf(member),
      member.self ? "this node" : member.connected,
      behind(member),
      member.self || member.connected ? member.server : null,
      member.peerAddress,
      member.mysqlAddress,
      member.version,
    ]),
  );
  for (const member of members.filter(({ refused }) => refused !== "")) {
    const what = member.self ? "This node" : named(member);
    output.line(`${output.paint("red", "!")} No link: ${what}: ${printable(member.refused)}`);
  }
}

function behind({ lagEntries }: MemberStatus): string | null {
  if (lagEntries === null) return null;
  return lagEntries === 1 ? "1 entry" : `${lagEntries} entries`;
}

/** In words: who leads, and whether enough are there. */
export function quorumOf(output: Output, cluster: ClusterStatus): string {
  const { leaderId, leaderName, voters, votersConnected, quorum } = cluster;
  const leader =
    leaderId === 0
      ? output.paint("red", "no leader")
      : `led by ${named({ name: leaderName, id: leaderId })}`;
  const there = `${votersConnected} of ${plural(voters, "voter")} connected`;
  const enough = votersConnected < quorum ? output.paint("red", there) : there;
  return `${leader}, ${enough}, quorum ${quorum}`;
}

/** What is unwise about who votes; sentences. */
export function voterWarnings({ members }: Pick<ClusterStatus, "members">): string[] {
  const voters = members.filter(({ role }) => role === "voter");
  const warnings: string[] = [];
  if (voters.length > 0 && voters.length % 2 === 0) {
    const fewer = voters.length - 1;
    warnings.push(
      `${voters.length} voters stand no more failures than ${plural(fewer, "voter")} would: promote one more, or ` +
        "demote one",
    );
  }
  const quorum = Math.floor(voters.length / 2) + 1;
  const regions = new Map<string, number>();
  for (const { region } of voters) regions.set(region, (regions.get(region) ?? 0) + 1);
  const isSpread = new Set(members.map(({ region }) => region)).size > 1;
  for (const [region, count] of regions) {
    if (isSpread && voters.length - count < quorum && voters.length > 1)
      warnings.push(
        `${count} of ${voters.length} voters are in region ${printable(region)}: without it nothing is committed`,
      );
  }
  return warnings;
}
