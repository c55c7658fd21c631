/** `binraft server`: what replicas connect to at this node, and switching it on and off. */
import type { Command } from "commander";
import type { ServerStatus } from "../../cluster/operations.ts";
import type { Output } from "../output.ts";
import { act, type VerbTable } from "../verb.ts";

export function addServerVerbs(program: Command, table: VerbTable): void {
  const server = program.command("server").description("the binlog server of the node");
  server
    .command("show")
    .description("show its address, identity and connections")
    .action(
      act(table, async (verb) => {
        const status = await (await verb.connect()).get<ServerStatus>("/v1/server");
        verb.output.result(status, () => printServer(verb.output, status));
      }),
    );
  for (const [name, text] of [
    ["start", "serve replicas from this node, also after a restart"],
    ["stop", "close every replica's connection and serve none, also after a restart"],
  ] as const) {
    server
      .command(name)
      .description(text)
      .action(
        act(table, async (verb) => {
          const node = await verb.connect();
          const status = await node.send<ServerStatus>("POST", `/v1/server/${name}`);
          verb.output.result(status, () => printServer(verb.output, status));
        }),
      );
  }
}

function printServer(output: Output, status: ServerStatus): void {
  output.facts([
    ["address", status.listening ? status.address : "not listening"],
    ["TLS", status.tls],
    ["version", status.version],
    ["server_uuid", status.serverUuid],
    ["server_id", String(status.serverId)],
    ["connections", String(status.connections)],
    ["replicas", String(status.replicas)],
  ]);
}
