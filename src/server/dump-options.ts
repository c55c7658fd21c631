/** What a client wants of a dump: the command, and what its session said before. */
import {
  type BinlogDump,
  type BinlogDumpGtid,
  DUMP_HEARTBEAT_V2,
  DUMP_NON_BLOCK,
} from "../mysql/commands.ts";
import type { DumpOptions } from "./dump.ts";
import type { UserVariables } from "./user-variables.ts";

/** `serverId` is ours. */
export function dumpOptions(
  command: BinlogDump | BinlogDumpGtid,
  user: UserVariables,
  serverId: number,
): DumpOptions {
  const gtids = command.kind === "binlog-dump-gtid" ? command.gtids : null;
  const { heartbeatMs } = user;
  const v2 = (command.flags & DUMP_HEARTBEAT_V2) !== 0 && !user.isMariadb;
  return {
    request: { gtids, file: command.file, position: Number(command.position) },
    nonBlock: (command.flags & DUMP_NON_BLOCK) !== 0 || command.serverId === 0,
    heartbeatMs,
    checksum: user.checksum,
    heartbeatVersion: v2 ? 2 : 1,
    // A replica of MySQL: tried with 5.6 and 9.7.
    mayPad: heartbeatMs > 0 && user.replicaUuid !== "" && !user.isMariadb,
    serverId,
  };
}
