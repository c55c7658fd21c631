/**
 * A drain client for measuring: logs in as a replica and counts bytes, without looking at events
 * unless it must know where to stop. Runs as a process of its own so that its CPU is its own.
 *
 *   node test/bench/drain.ts '{"port":…,"user":…,"password":…,"clients":16,"bytes":…,"gtids":""}'
 *
 * Prints one JSON line: {bytes, seconds, firstByteMs, cpuMs}. It ends when every client has
 * received `bytes` stream bytes, or the stream ended (non-blocking dump).
 */
import { nodePlatform } from "../../runtime/node/platform.ts";
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { connect } from "../../src/mysql/client.ts";
import { encodeDumpGtid, encodeRegister } from "../../src/mysql/commands.ts";

interface DrainOptions {
  readonly host?: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly clients: number;
  /** Stop after so many stream bytes a client; 0 until the end of the log. */
  readonly bytes: number;
  readonly gtids: string;
  readonly ca?: string;
}

const platform = nodePlatform();

async function drain(
  options: DrainOptions,
  n: number,
): Promise<{ bytes: number; firstMs: number }> {
  const tls =
    options.ca === undefined
      ? { mode: "disabled" as const }
      : { mode: "verify-ca" as const, ca: options.ca };
  const client = await connect(
    {
      host: options.host ?? "127.0.0.1",
      port: options.port,
      user: options.user,
      password: options.password,
      tls,
      fetchPublicKey: true,
    },
    platform,
  );
  const { connection } = client;
  const uuid = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  const serverId = 700_000 + n;
  await client.execute(
    "SET @master_heartbeat_period = 10000000000, @source_heartbeat_period = 10000000000",
  );
  await client.execute("SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'");
  await client.execute(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
  connection.writeCommand(encodeRegister({ serverId, host: "", user: "", port: 0 }));
  await connection.readPacket();
  const gtids = encodeGtidSet(GtidSet.parse(options.gtids), "auto");
  const flags = 2 | (options.bytes === 0 ? 1 : 0);
  const began = performance.now();
  connection.writeCommand(encodeDumpGtid({ flags, serverId, file: "", position: 4n, gtids }));
  let bytes = 0;
  let firstMs = 0;
  await connection.consumeStream((input) => {
    bytes += input.length;
    // The start of a dump (rotate, description, previous GTIDs) is a few hundred bytes.
    if (firstMs === 0 && bytes > 400) firstMs = performance.now() - began;
    return options.bytes === 0 || bytes < options.bytes;
  });
  connection.destroy();
  return { bytes, firstMs };
}

const options = JSON.parse(process.argv[2]!) as DrainOptions;
const cpu = process.cpuUsage();
const began = performance.now();
const results = await Promise.all(
  Array.from({ length: options.clients }, (_, n) => drain(options, n)),
);
const seconds = (performance.now() - began) / 1000;
const used = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    bytes: results.reduce((sum, result) => sum + result.bytes, 0),
    seconds,
    firstByteMs: Math.max(...results.map((result) => result.firstMs)),
    cpuMs: (used.user + used.system) / 1000,
  }),
);
process.exit(0);
