/** Attacks of somebody with an account: as a replica, or as many. */
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { encodeDumpGtid, encodeRegister } from "../../src/mysql/commands.ts";
import { type Attack, address, type Scene } from "./abuse-attack.ts";

const READ_BYTE_MS = 1_000;

interface Claim {
  readonly uuid: string;
  readonly serverId: number;
  readonly gtids: string;
}

/** Logs in and asks for a dump on a raw socket; nothing of it has been read. */
async function follow(
  scene: Scene,
  i: number,
  claim: Claim,
): Promise<Awaited<ReturnType<Scene["open"]>>> {
  const node = scene.nodes[i % scene.nodes.length]!;
  let socket: Awaited<ReturnType<Scene["open"]>> | null = null;
  const opened: Scene["open"] = async (port, from) => {
    socket = await scene.open(port, from);
    return socket;
  };
  const own = Object.create(scene, { open: { value: opened } }) as Scene;
  const { connection, ...client } = await own.logIn(node, address(i % 100)).then((made) => ({
    connection: made.connection,
    query: (sql: string) => made.query(sql),
  }));
  const { uuid, serverId, gtids } = claim;
  await client.query("SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'");
  await client.query(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
  connection.writeCommand(encodeRegister({ serverId, host: "", user: "", port: 0 }));
  const answer = await connection.readPacket();
  if (answer[0] === 0xff)
    throw Object.assign(new Error(), { errno: answer[1]! + 256 * answer[2]! });
  const set = encodeGtidSet(GtidSet.parse(gtids), "auto");
  connection.writeCommand(
    encodeDumpGtid({ flags: 4, serverId, file: "", position: 4n, gtids: set }),
  );
  return socket!;
}

function uuidOf(i: number): string {
  return `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
}

export const REPLICAS: readonly Attack[] = [
  {
    name: "claimed-uuid",
    says: "6 clients of another account that claim the server_uuid of a real replica, again and again",
    covers: "11",
    run: (scene) =>
      scene.crowd(6, 100, async (i) => {
        const { replicaUuid: uuid, executed: gtids } = scene.target;
        // Only the node that the replica follows can tell.
        const socket = await follow(scene, 3 * i, { uuid, serverId: 2 + (i % 2), gtids });
        socket.resume();
        await scene.sleep(500);
        socket.destroy();
      }),
  },
  {
    name: "deaf-replicas",
    says: "300 replicas that ask for all there is and read nothing",
    covers: "held: replicas that never read",
    run: (scene) =>
      scene.crowd(300, 1_000, async (i) => {
        const claim = { uuid: uuidOf(i), serverId: 10_000 + i, gtids: "" };
        const socket = await follow(scene, i, claim);
        socket.pause();
        await scene.until();
      }),
  },
  {
    name: "slow-replicas",
    says: "100 replicas that ask for all there is and read a byte a second",
    covers: "held: replicas that read a byte a second",
    run: (scene) =>
      scene.crowd(100, 1_000, async (i) => {
        const claim = { uuid: uuidOf(1000 + i), serverId: 20_000 + i, gtids: "" };
        const socket = await follow(scene, i, claim);
        socket.removeAllListeners("data");
        socket.pause();
        while (!socket.destroyed && !scene.stop.aborted) {
          socket.read(1);
          await scene.sleep(READ_BYTE_MS);
        }
      }),
  },
];
