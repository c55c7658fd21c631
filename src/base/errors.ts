/**
 * The numbered catalogue of what an operator can meet. `docs/reference/errors.md` is generated
 * from it, the admin API names a code in every problem+json answer, and the CLI prints it behind
 * the sentence. A code is never reused or given another meaning.
 *
 *   BR10xx configuration   BR11xx start      BR12xx log and disk   BR20xx syncer
 *   BR30xx replicas        BR40xx admin API  BR50xx command line
 */

import { ADMIN } from "./errors-admin.ts";

export type ErrorCode = `BR${number}`;

export interface CatalogueEntry {
  readonly code: ErrorCode;
  readonly title: string;
  /** What leads to it. */
  readonly cause: string;
  /** Whether it is to be expected, and when. */
  readonly normal: string;
  /** What to do. */
  readonly todo: string;
}

/** An error with a code of the catalogue. `next` is the one thing to do now, in this case. */
export class BinraftError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  constructor(code: ErrorCode, message: string, next = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "BinraftError";
    this.code = code;
    this.next = next;
  }
}

export function catalogueEntry(code: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.code === code);
}

const CONFIGURATION: readonly CatalogueEntry[] = [
  {
    code: "BR1001",
    title: "The configuration file cannot be read",
    cause: "The file that `--config` names does not exist or this user may not read it.",
    normal: "No. Without `--config` a missing `binraft.toml` is no error.",
    todo: "Correct the path or the file's permissions.",
  },
  {
    code: "BR1002",
    title: "The configuration file is not TOML",
    cause: "A syntax error; the message names the line and the column.",
    normal: "No.",
    todo: "Mend the line. Strings need quotes, tables are written `[section]`.",
  },
  {
    code: "BR1003",
    title: "Unknown section, key or variable",
    cause:
      "A name in the file, or an environment variable that begins with `BINRAFT_`, is no option. " +
      "Such names are refused, so that a typing error cannot go unnoticed.",
    normal: "No.",
    todo: "Use the name that the message suggests, or one of `docs/reference/config.md`.",
  },
  {
    code: "BR1004",
    title: "A value does not fit its option",
    cause: "The value has another type or is out of range; the message says what is expected.",
    normal: "No.",
    todo: "Correct the value where the message says that it came from.",
  },
  {
    code: "BR1005",
    title: "Options contradict each other",
    cause:
      "Each value is right by itself, but not together: two listeners on one address, a source " +
      "without a password, an admin address off loopback without a token file and TLS.",
    normal: "No.",
    todo: "The message names both options and the way out.",
  },
  {
    code: "BR1006",
    title: "A secret cannot be read",
    cause:
      "A password, token, certificate or key file is missing, empty or not readable, or a key is not that " +
      "of its certificate.",
    normal: "No.",
    todo: "Create the file with mode 0600 for the user that runs binraft.",
  },
];

const START: readonly CatalogueEntry[] = [
  {
    code: "BR1101",
    title: "The data directory is in use",
    cause: "Another binraft process holds the lock of this directory.",
    normal: "While a node runs, for offline verbs such as `binraft log verify`.",
    todo: "Stop the other process, or give this one another `node.data_dir`.",
  },
  {
    code: "BR1102",
    title: "An address is in use",
    cause: "Another process listens on the address that the message names.",
    normal: "No.",
    todo: "Stop that process, or choose another address (`listen.mysql`, `listen.peer`, `listen.admin`).",
  },
  {
    code: "BR1103",
    title: "An address cannot be listened on",
    cause: "The address is not one of this machine, or the port needs more rights.",
    normal: "No.",
    todo: "Choose an address of this machine and a port above 1023.",
  },
  {
    code: "BR1104",
    title: "The data directory cannot be used",
    cause: "It cannot be made, read or written by this user, or others may write to it.",
    normal: "No.",
    todo: "Correct `node.data_dir` or its owner; its mode should be 0700.",
  },
  {
    code: "BR1105",
    title: "The node could not start",
    cause: "An error that has no code of its own; the message is the system's.",
    normal: "No.",
    todo: "Read the message. `binraft start --debug` also prints where it came from.",
  },
  {
    code: "BR1106",
    title: "An empty directory must not form a second cluster",
    cause:
      "The node was started with `--bootstrap` and an empty data directory, and a node that it was told " +
      "of is of a cluster already: this one may have lost its disk.",
    normal: "When a node whose disk was lost is started with the command of its first start.",
    todo:
      "Start it without `--bootstrap`: it joins as a new learner. Then `binraft member promote` it and " +
      "`binraft member remove` the old member.",
  },
];

const LOG: readonly CatalogueEntry[] = [
  {
    code: "BR1201",
    title: "The log is damaged",
    cause:
      "A segment is missing, or bytes changed on the disk where the log's end or a vote may have " +
      "stood. The node refuses to start, since it could break a promise that it gave.",
    normal:
      "Never after a crash or a power loss: a torn last write is recognised and cut by itself.",
    todo:
      "Run `binraft log verify` to see the extent. Restore the directory from a copy, or start a " +
      "new node in an empty directory; check the disk.",
  },
  {
    code: "BR1202",
    title: "The data directory has an unknown format",
    cause: "It was written by a newer binraft.",
    normal: "After a downgrade.",
    todo: "Start it with the version that wrote it, or a newer one.",
  },
  {
    code: "BR1203",
    title: "The disk is full",
    cause: "No further segment of the log can be made.",
    normal: "When retention is larger than the disk.",
    todo:
      "Make space, or `binraft binlog purge --to FILE`. The node takes no new transactions meanwhile, " +
      "goes on serving what it has, and recovers by itself.",
  },
  {
    code: "BR1204",
    title: "The log can no longer be written",
    cause: "A write or an fsync failed. It is never retried: the kernel may have dropped the data.",
    normal: "No: the disk or the file system has failed.",
    todo: "Check the kernel's log and the disk. A restart reads what is really on the disk.",
  },
  {
    code: "BR1205",
    title: "Entries are damaged on this disk",
    cause: "Their checksums do not match. The ranges are known; everything else is served.",
    normal: "No.",
    todo:
      "Run `binraft log verify` while the node is stopped, check the disk, and restore the " +
      "directory from a copy if replicas still need the range.",
  },
];

const SYNCER: readonly CatalogueEntry[] = [
  {
    code: "BR2001",
    title: "GAP: the source has purged transactions that are not stored here",
    cause:
      "binraft was away for longer than the source keeps its binlogs, or the source is a new one.",
    normal: "No. The syncer has stopped, so that no replica misses a transaction silently.",
    todo:
      "Point to a server that still has them (`binraft syncer set`), or give them up for good " +
      "(`binraft syncer accept-gap SET --confirm CLUSTER_ID`).",
  },
  {
    code: "BR2002",
    title: "FORK: the source has other transactions under numbers that are stored here",
    cause:
      "The source was reset, restored from an older backup, lost its last transactions in a crash, " +
      "or was replaced by a server with another history.",
    normal: "No.",
    todo:
      "Point to the server whose content is right (`binraft syncer set`), or begin anew " +
      "(`binraft syncer new-timeline --confirm CLUSTER_ID`).",
  },
  {
    code: "BR2003",
    title: "REFUSED: this source cannot be pulled as it is",
    cause:
      "A setting, a privilege or its state would make replication wrong, or it has purged what would prove " +
      "that its history is the one stored here; the reason says which.",
    normal: "When a source is set up for the first time.",
    todo:
      "Mend what `binraft syncer check` shows, then `binraft syncer start`. Vouch for a history that cannot be " +
      "proved only if the source was never put back (`binraft syncer accept-unproved --confirm CLUSTER_ID`).",
  },
  {
    code: "BR2004",
    title: "The source cannot be reached",
    cause: "The connection or the login failed. The syncer tries again by itself.",
    normal: "While the source restarts.",
    todo: "Run `binraft syncer check`: it says what fails.",
  },
  {
    code: "BR2005",
    title: "The source takes connections and lets nobody log in",
    cause:
      "With semi-sync, a CREATE USER, GRANT or SET GLOBAL waits for an ACK, itself or behind another commit, and " +
      "holds a lock that each login needs. Who would send the ACK cannot log in.",
    normal: "For a moment, while the leader changes. Not when `source.keep_connection` is on.",
    todo:
      "From a session of the source that is open: `SET GLOBAL rpl_semi_sync_source_enabled = OFF`, and ON again once " +
      "binraft pulls (operations, When nobody can log in to the source).",
  },
];

const REPLICAS: readonly CatalogueEntry[] = [
  {
    code: "BR3001",
    title: "A replica got error 1236",
    cause:
      "It asked for transactions that were purged here, or has some that never came from a source of ours.",
    normal: "After a purge, for a replica that was away for too long.",
    todo: "Rebuild the replica from a backup that is newer than `binraft status` shows as purged.",
  },
  {
    code: "BR3002",
    title: "A replica cannot log in",
    cause: "Unknown account or wrong password; both get the same error 1045.",
    normal: "No.",
    todo: "Compare with `binraft account list`; set it anew with `binraft account set`.",
  },
];

const COMMAND_LINE: readonly CatalogueEntry[] = [
  {
    code: "BR5001",
    title: "The node does not answer",
    cause: "Nothing answers at the URL. The exit code is 3.",
    normal: "While the node is stopped.",
    todo: "Start it, or name it with `--server` or `BINRAFT_URL`.",
  },
  {
    code: "BR5002",
    title: "A confirmation is needed",
    cause: "The operation gives something up for good.",
    normal: "Yes: the first call shows what would happen and the command that does it.",
    todo: "Read the sets, then run the printed command.",
  },
  {
    code: "BR5003",
    title: "The command line is wrong",
    cause: "An unknown verb or option, or a value that is missing. The exit code is 2.",
    normal: "No.",
    todo: "`binraft --help`, or `--help` behind the verb.",
  },
  {
    code: "BR5004",
    title: "A file is there already",
    cause: "A verb was to write a file and would have replaced one.",
    normal: "No.",
    todo: "Give another path, or `--force`.",
  },
];

export const CATALOGUE: readonly CatalogueEntry[] = [
  ...CONFIGURATION,
  ...START,
  ...LOG,
  ...SYNCER,
  ...REPLICAS,
  ...ADMIN,
  ...COMMAND_LINE,
];
