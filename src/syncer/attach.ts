/**
 * Where a pull begins at the source, proved before a byte is stored.
 *
 * A dump with a file name gets none of the source's own checks, one without zeroes `created` in
 * each format description. So: (a) a probe without a name, with our full set, on a connection of
 * its own; it lets the source check us and names the file it would start at. (b) The dump by name
 * (named-dump.ts): our last file if it is this source's and still the same file, else the probe's.
 *
 * The server that our last file came from must prove that it has our last transaction, byte for
 * byte: a GTID set alone does not tell whether it was put back and used its numbers again. Without
 * our last file it can do so no more. A source purges its oldest files first: if it still has the
 * transaction it is in another file (FORK), and if it has purged it nobody knows (REFUSED, until an
 * operator vouches for it). Another server's proof are the sets: a promoted replica has written
 * its events itself.
 */
import { type BinlogFile, parseFileName } from "../binlog/file-view.ts";
import type { MysqlClient } from "../mysql/client.ts";
import { MysqlError } from "../mysql/errors.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { type SyncerHost, SyncerStop } from "./host.ts";
import { type LastProof, proveLast } from "./last-proof.ts";
import {
  type Attached,
  begin,
  COMPARE_BYTES,
  dumpSet,
  forked,
  lastIn,
  resume,
} from "./named-dump.ts";
import { gtidSets, oldestFile, type SourceFacts } from "./source-checks.ts";
import { gap } from "./source-sets.ts";

const FATAL_DUMP_ERROR = 1236;

export interface Attaching extends Omit<LastProof, "file" | "last"> {
  /** For questions. */
  readonly control: MysqlClient;
  readonly serverId: number;
  /** The connection that the pull reads from, prepared. Rejects when this node leads no more. */
  readonly dumping: () => Promise<DumpConnection>;
}

export async function attach(at: Attaching): Promise<Attached> {
  const { host, facts } = at;
  const first = !host.stream.started;
  const probed = await probe(await at.probing(), host, facts);
  const file = resumableFile(host, facts, probed);
  const kept = file !== null && (await hasFile(await at.probing(), host, file));
  if (file !== null && !kept) await withoutFile(at, file);
  if (file !== null && kept) {
    const last = lastIn(host, file);
    if (last !== null && last.eventBytes > COMPARE_BYTES) await proveLast({ ...at, file, last });
    const dump = await at.dumping();
    dump.startGtidDump(at.serverId, file.sourceName, dumpSet(host, file), false);
    return await resume(dump, host, facts, file);
  }
  // An empty log takes the oldest file there is, from its first byte.
  const name = first ? (await oldestFile(at.control)) || probed : probed;
  const dump = await at.dumping();
  dump.startGtidDump(at.serverId, name, host.stream.executed, false);
  return await begin(dump, host, facts, name);
}

/**
 * Whether a connection that was kept can be dumped on at once: our last file is this source's, and
 * the dump by name itself compares what is stored of it. That replaces the probe. The description,
 * the previous GTIDs and the last transaction are the ones that were pulled, so nothing before our
 * end was purged that is not stored, and none of it was lost or written anew.
 */
export function resumesAtOnce({ stream }: SyncerHost, { uuid, checks }: SourceFacts): boolean {
  const { file, epoch, last } = stream;
  if (file === null || file.sourceUuid !== uuid || file.epoch !== epoch) return false;
  if (last?.file === file.name && last.eventBytes > COMPARE_BYTES) return false;
  return checks.every(({ level }) => level !== "fail");
}

/** Rejects also with what only the normal attach can judge. */
export async function attachAtOnce(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
  serverId: number,
): Promise<Attached> {
  const file = host.stream.file!;
  dump.startGtidDump(serverId, file.sourceName, dumpSet(host, file), false);
  return await resume(dump, host, facts, file);
}

/** The source that wrote our last file has it no more. */
async function withoutFile({ host, facts, control }: Attaching, file: BinlogFile): Promise<void> {
  const { last, executed } = host.stream;
  if (last === null || last.unprovedAccepted) return;
  // Asked anew: what the source was asked before is older than the answer that the file is gone.
  const { purged } = await gtidSets(control);
  if (!purged.has(last.sid, last.gno)) throw forked(host, facts, file);
  throw new SyncerStop(
    "REFUSED",
    `The source ${facts.uuid} has purged "${file.sourceName}", our last file, and with it what would prove that ` +
      "its history is the one stored here. If it was put back to an earlier moment since, it may have given " +
      "used numbers to other transactions",
    "if it was not, vouch for it (binraft syncer accept-unproved); else point to the server whose content is " +
      "right (binraft syncer set), or begin anew (binraft syncer new-timeline)",
    {
      "last stored": `${last.sid}:${last.gno}`,
      stored: executed.toString(),
      "purged at the source": purged.toString(),
    },
  );
}

/** The file that the source would start us at. Its own checks become our states. */
export async function probe(
  dump: DumpConnection,
  host: SyncerHost,
  facts: SourceFacts,
): Promise<string> {
  const set = host.stream.executed;
  dump.startGtidDump(0, "", set, true);
  try {
    return (await dump.startFile()).file;
  } catch (error) {
    if (!(error instanceof MysqlError) || error.errno !== FATAL_DUMP_ERROR) throw error;
    const text = error.message;
    if (/purged/.test(text)) throw gap(host, facts, facts.purged.subtract(set), set);
    if (/more GTIDs/.test(text)) {
      throw new SyncerStop(
        "FORK",
        `The source says: ${text}`,
        "find out which side lost transactions; then point to a server that has them all (binraft " +
          "syncer set), or begin anew (binraft syncer new-timeline)",
        { stored: set.toString(), "executed at the source": facts.executed.toString() },
      );
    }
    throw new SyncerStop(
      "REFUSED",
      `The source refuses the dump: ${text}`,
      "mend the source, then binraft syncer start",
    );
  } finally {
    dump.client.connection.destroy();
  }
}

/** Whether the source still has a file: asked by a dump, which waits for no lock that a commit holds. */
export async function hasFile(
  dump: DumpConnection,
  host: SyncerHost,
  file: BinlogFile,
): Promise<boolean> {
  dump.startGtidDump(0, file.sourceName, host.stream.executed, true);
  try {
    await dump.startFile();
    return true;
  } catch (error) {
    if (error instanceof MysqlError && /Could not find first log file/i.test(error.message))
      return false;
    throw error;
  } finally {
    dump.client.connection.destroy();
  }
}

/** Our last file, if this source wrote it and has nothing newer under that name. */
export function resumableFile(
  host: SyncerHost,
  facts: SourceFacts,
  probed: string,
): BinlogFile | null {
  const { file, epoch } = host.stream;
  if (file === null || file.sourceUuid !== facts.uuid || file.epoch !== epoch) return null;
  const ours = parseFileName(file.sourceName)?.number ?? 0;
  const theirs = parseFileName(probed)?.number ?? 0;
  if (theirs < ours) {
    throw new SyncerStop(
      "FORK",
      `The source would start us at "${probed}", before our last file "${file.sourceName}": its logs were reset`,
      "begin anew (binraft syncer new-timeline), or point to another server (binraft syncer set)",
      {
        stored: host.stream.executed.toString(),
        "executed at the source": facts.executed.toString(),
      },
    );
  }
  return file;
}
