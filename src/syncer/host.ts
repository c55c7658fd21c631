/**
 * What the syncer needs of the node it runs on, and what it shows: the contract of this folder.
 *
 * Ladder: Syncer (runs while this node leads; back-off; stops for an operator) → attempt
 * (source-session.ts: one login, checks, attach, stream) → EventStream (bytes to chunks).
 *
 * Invariants
 * 1. A dump request counts as an acknowledgement at a semi-sync source: no request names anything
 *    that is not committed and applied here (`settled` before each attach).
 * 2. An ACK is sent only when apply has accepted the chunk, only on the connection of that pull,
 *    with the source's own file and our 64-bit offset in it.
 * 3. What the source lacks or has otherwise is never papered over: GAP, FORK and REFUSED stop the
 *    syncer until an operator decides.
 * 4. Stored bytes come from a dump by file name only, checked as event-stream.ts says. The STOP
 *    behind a very large transaction is the exception (last-proof.ts).
 * 5. A server becomes our source with the first chunk of it that apply accepts.
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Wakeup } from "../base/service.ts";
import type { Chunk } from "../binlog/chunk.ts";
import type { StreamPoint } from "../binlog/dead-ranges.ts";
import type { Outcome, StreamState } from "../binlog/stream-state.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import type { SourceValues } from "../mysql/source-values.ts";

export interface SyncerHost {
  readonly stream: StreamState;
  readonly term: number;
  /** Leads, and everything before its term is applied. */
  readonly leads: boolean;
  /** Payload bytes proposed and not applied yet; infinite while there is no room for more on a quorum's disks. */
  readonly pendingBytes: number;
  /** A batch is on its way to the disk: what is proposed now waits for the next one. */
  readonly isWriting: boolean;
  /** Wakes whenever a batch was written or applied. */
  readonly progressed: Wakeup;
  /** Work buffers of the event stream. */
  readonly pool: BufferPool;
  propose(payload: Uint8Array): number;
  /** Everything appended so far is committed and applied. */
  settled(): Promise<void>;
  start(purged: GtidSet): Promise<void>;
  /** What the source says of itself now. It is replicated where it differs, and nothing waits for that. */
  sourceSays(values: SourceValues): void;
  observe(observer: { chunkApplied(chunk: Chunk, outcome: Outcome): void }): () => void;
  /** Event bytes stored from a point on: `length` of them, fewer at the stream's end. */
  storedEvents(from: StreamPoint, length: number): Promise<Uint8Array>;
  /** The last so many events stored, whole; nothing when they are larger, or stand too far back. */
  storedTail(events: number, maxBytes: number): Promise<Uint8Array>;
}

/** Where the binlog comes from, with secrets resolved. */
export interface SourceConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly tls: "disabled" | "verify-ca" | "verify-identity";
  readonly tlsCa: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** PEM of the source's RSA key, for caching_sha2_password without TLS. */
  readonly publicKey: string | null;
  readonly semiSync: boolean;
  readonly nativePassword: boolean;
  /** Ours at the source: different from every server's. */
  readonly serverId: number;
  readonly serverUuid: string;
  /** One connection is logged in before it is needed (kept-connection.ts). */
  readonly keepConnection: boolean;
}

export type SyncerStateName = "CONNECTING" | "RUNNING" | "STOPPED" | "GAP" | "FORK" | "REFUSED";

/** The syncer cannot go on without an operator; `next` is the command that would help. */
export class SyncerStop extends Error {
  readonly state: "GAP" | "FORK" | "REFUSED";
  readonly next: string;
  /** The GTID sets that prove it. */
  readonly gtids: Readonly<Record<string, string>>;
  constructor(
    state: "GAP" | "FORK" | "REFUSED",
    message: string,
    next: string,
    gtids: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "SyncerStop";
    this.state = state;
    this.next = next;
    this.gtids = gtids;
  }
}

/** One line of the pre-flight report. */
export interface SourceCheck {
  readonly name: string;
  /** `fail` stops the syncer, `warn` weakens the promise and is shown. */
  readonly level: "ok" | "warn" | "fail";
  readonly message: string;
}

/** Whether commits at the source wait for an ACK, as the source itself counts. */
export interface SemiSyncSource {
  readonly active: boolean;
  /** Since this process first looked at this source. */
  readonly commitsWithoutAck: number;
  /** Semi-sync replicas of the source beside binraft, at two looks in a row: their ACKs count as well. */
  readonly otherReplicas: number;
}

/** The connection that is logged in before it is needed. */
export interface KeptStatus {
  readonly state: "off" | "connecting" | "ready";
  /** Why there is none, or no newer one; empty when all is well. */
  readonly reason: string;
  readonly ageMs: number;
}

export interface SyncerStatus {
  readonly state: SyncerStateName;
  /** Why; a sentence. */
  readonly reason: string;
  /** The command to run next; empty when nothing is to be done. */
  readonly next: string;
  readonly gtids: Readonly<Record<string, string>>;
  readonly source: string;
  readonly sourceUuid: string;
  readonly sourceVersion: string;
  /** The source's file and our offset in it. */
  readonly file: string;
  readonly position: number;
  readonly semiSync: boolean;
  /** Null while semi-sync is off here, and until a first look. */
  readonly semiSyncSource: SemiSyncSource | null;
  readonly acksSent: number;
  readonly ackedFile: string;
  readonly ackedPosition: number;
  readonly attempts: number;
  readonly connectedMs: number;
  readonly receivedBytes: number;
  readonly brokenPulls: number;
  /** Of this node: each that may lead has one of its own. */
  readonly kept: KeptStatus;
  /** The source lets nobody log in, while commits wait for an ACK. */
  readonly loginHangs: boolean;
  readonly checks: readonly SourceCheck[];
}
