/** `binraft replica`: who follows this node, worst first, and sending one away. */
import type { Command } from "commander";
import type { ReplicaStatus } from "../../cluster/operations.ts";
import { formatBytes, formatDuration, type Output } from "../output.ts";
import { act, type VerbTable } from "../verb.ts";

export function addReplicaVerbs(program: Command, table: VerbTable): void {
  const replica = program.command("replica").description("the replicas that follow the node");
  replica
    .command("list")
    .description("list them, the one furthest behind first")
    .action(
      act(table, async (verb) => {
        const answer = await (await verb.connect()).get<{ items: ReplicaStatus[] }>("/v1/replicas");
        verb.output.result(answer, () => printReplicas(verb.output, answer.items));
      }),
    );
  replica
    .command("kick")
    .argument("<UUID>", "the replica's server_uuid")
    .description("close its connection; it may come back")
    .action(
      act(table, async (verb, uuid) => {
        await (await verb.connect()).remove(`/v1/replicas/${encodeURIComponent(uuid!)}`);
        verb.output.result({ kicked: uuid }, () =>
          verb.output.line(`Closed the connection of ${uuid}`),
        );
      }),
    );
}

export function printReplicas(output: Output, replicas: readonly ReplicaStatus[]): void {
  if (replicas.length === 0) {
    output.line("No replica is connected");
    return;
  }
  const sorted = [...replicas].sort((a, b) => b.lagBytes - a.lagBytes);
  output.table(
    ["SERVER_ID", "UUID", "ADDRESS", "ACCOUNT", "STATE", "AT", "BEHIND", "SENT", "SINCE", "TLS"],
    sorted.map((replica) => [
      replica.serverId,
      replica.uuid,
      replica.address,
      replica.account,
      replica.state,
      replica.file === "" ? null : `${replica.file}:${replica.position}`,
      formatBytes(replica.lagBytes),
      formatBytes(replica.sentBytes),
      formatDuration(replica.connectedMs),
      replica.tls,
    ]),
  );
}
