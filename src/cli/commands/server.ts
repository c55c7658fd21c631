/** `binraft server show`: what replicas connect to. */
import type { Command } from "commander";
import type { ServerStatus } from "../../cluster/operations.ts";
import { act, type VerbTable } from "../verb.ts";

export function addServerVerbs(program: Command, table: VerbTable): void {
  const server = program.command("server").description("the binlog server of the node");
  server
    .command("show")
    .description("show its address, identity and connections")
    .action(
      act(table, async (verb) => {
        const status = await (await verb.connect()).get<ServerStatus>("/v1/server");
        const { output } = verb;
        output.result(status, () =>
          output.facts([
            ["address", status.listening ? status.address : "not listening"],
            ["TLS", status.tls],
            ["version", status.version],
            ["server_uuid", status.serverUuid],
            ["server_id", String(status.serverId)],
            ["connections", String(status.connections)],
            ["replicas", String(status.replicas)],
          ]),
        );
      }),
    );
}
