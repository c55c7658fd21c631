/** Many replicas that have everything and wait: what each costs the node in memory. */
import type { NodeProcess } from "../../demo/node-process.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { connect, type MysqlClient } from "../../src/mysql/client.ts";
import { encodeDumpGtid, encodeRegister } from "../../src/mysql/commands.ts";
import { waitFor } from "../support/wait-for.ts";
import { rssMiB } from "./measure.ts";

const AT_ONCE = 10;
const WARM_UP = 100;

export async function idleReplicas(
  node: NodeProcess,
  account: { user: string; password: string },
  count: number,
): Promise<{ held: number; kibPerReplica: number }> {
  const platform = nodePlatform();
  const executed = GtidSet.parse((await node.status()).stream.executed);
  const gtids = encodeGtidSet(executed, "auto");
  const clients: MysqlClient[] = [];
  const attach = async (n: number): Promise<void> => {
    const client = await connect(
      { host: "127.0.0.1", port: node.mysqlPort, ...account, tls: { mode: "disabled" } },
      platform,
    );
    const uuid = `00000000-0000-4000-8001-${String(n).padStart(12, "0")}`;
    await client.execute(
      "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'",
    );
    await client.execute(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
    client.connection.writeCommand(
      encodeRegister({ serverId: 800_000 + n, host: "", user: "", port: 0 }),
    );
    await client.connection.readPacket();
    client.connection.writeCommand(
      encodeDumpGtid({ flags: 2, serverId: 800_000 + n, file: "", position: 4n, gtids }),
    );
    await client.connection.readPacket();
    clients.push(client);
  };
  let before = 0;
  for (let n = 0; n < count; n += AT_ONCE) {
    // The first ones fill the node's caches, which are bounded and nobody's.
    if (n === WARM_UP) before = rssMiB(node.pid);
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, i) => attach(n + i)),
    );
  }
  const held = async (): Promise<number> => (await node.status()).server.replicas;
  await waitFor(async () => (await held()) >= count, {
    deadlineMs: 20_000,
    what: `${count} replicas`,
  });
  const result = {
    held: await held(),
    kibPerReplica: ((rssMiB(node.pid) - before) * 1024) / (count - WARM_UP),
  };
  for (const client of clients) client.connection.destroy();
  return result;
}
