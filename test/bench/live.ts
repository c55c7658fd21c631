/** How long after its commit began a transaction's bytes reach a replica. */
import type { MysqlServer } from "../../demo/mysql/server.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { decodeText } from "../../src/base/bytes.ts";
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { connect } from "../../src/mysql/client.ts";
import { encodeDumpGtid, encodeRegister } from "../../src/mysql/commands.ts";

const COUNT = 1000;
const PAUSE_MS = 2;

export async function liveDelay(
  source: MysqlServer,
  from: { port: number; user: string; password: string },
): Promise<{ p50: number; p99: number }> {
  const platform = nodePlatform();
  const at = { host: "127.0.0.1", tls: { mode: "disabled" as const }, fetchPublicKey: true };
  const reader = await connect({ ...at, ...from }, platform);
  const uuid = "00000000-0000-4000-8000-00000000feed";
  await reader.execute("SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'");
  await reader.execute(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
  reader.connection.writeCommand(
    encodeRegister({ serverId: 799_999, host: "", user: "", port: 0 }),
  );
  await reader.connection.readPacket();
  const executed = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  reader.connection.writeCommand(
    encodeDumpGtid({
      flags: 2,
      serverId: 799_999,
      file: "",
      position: 4n,
      gtids: encodeGtidSet(executed, "auto"),
    }),
  );
  const delays: number[] = [];
  const reading = (async () => {
    while (delays.length < COUNT) {
      const input = await reader.connection.readStream();
      if (input === null) throw new Error("The stream ended");
      const now = performance.now();
      for (const match of decodeText(input).matchAll(/@@(\d+\.\d+)@@/g))
        delays.push(now - Number(match[1]));
    }
  })();
  const writer = await connect(
    { ...at, host: "127.0.0.1", port: source.port, user: "root", password: "" },
    platform,
  );
  for (let i = 0; i < COUNT; i++) {
    await writer.execute(`INSERT INTO bench.t (v) VALUES ('@@${performance.now().toFixed(4)}@@')`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await reading;
  writer.close();
  reader.connection.destroy();
  delays.sort((a, b) => a - b);
  return { p50: delays[Math.floor(COUNT * 0.5)]!, p99: delays[Math.floor(COUNT * 0.99)]! };
}
