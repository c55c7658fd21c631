/**
 * One attempt at the source: log in, check, attach, stream until something ends it. It never
 * retries; who called decides (syncer.ts).
 */
import type { Logger } from "../base/logger.ts";
import { type Chunk, ChunkFlag, type Pull } from "../binlog/chunk.ts";
import type { BuiltChunk } from "../binlog/chunk-builder.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import { connect, type MysqlClient } from "../mysql/client.ts";
import type { MysqlError } from "../mysql/errors.ts";
import { decodeErr } from "../mysql/response.ts";
import type { Cancel } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import { type AckProgress, AckSender } from "./ack-sender.ts";
import { attach } from "./attach.ts";
import { clientConfig } from "./client-config.ts";
import { DumpConnection } from "./dump-connection.ts";
import { errantCheck, errantTransactions } from "./errant.ts";
import { EventStream } from "./event-stream.ts";
import { type SourceCheck, type SourceConfig, type SyncerHost, SyncerStop } from "./host.ts";
import { sourceOf } from "./last-proof.ts";
import type { Attached } from "./named-dump.ts";
import type { SemiSyncWatch } from "./semi-sync-watch.ts";
import { readFacts, type SourceFacts } from "./source-checks.ts";
import { checkSets } from "./source-sets.ts";
import { HEARTBEAT_MS, SilenceWatch, watchSets } from "./source-watch.ts";
import { StreamError } from "./stream-error.ts";

/** Proposed and not yet applied: beyond it the socket is not read . */
export const PENDING_BYTES: number = 16 * 1024 * 1024;
/** A pull that ran for so long was where it should be, also if nothing came. */
const HELD_MS = 30_000;

/** What the session tells while it runs; owned by the syncer. */
export interface SessionProgress extends AckProgress {
  checks: readonly SourceCheck[];
  /** What the newest source brought along when it became ours. */
  errant: SourceCheck | null;
  facts: SourceFacts | null;
  running: boolean;
  semiSync: boolean;
  readonly semiSyncWatch: SemiSyncWatch;
  file: string;
  receivedBytes: number;
  connectedAtMs: number;
}

/** Two questions and the dump. */
const ATTACH_CONNECTIONS = 3;

/** This pull's chunks were not taken, or the node stopped leading: begin again. */
export class PullEnded extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PullEnded";
  }
}

export interface SessionParts {
  readonly platform: Platform;
  readonly host: SyncerHost;
  readonly config: SourceConfig;
  readonly pull: Pull;
  readonly progress: SessionProgress;
  readonly logger: Logger;
}

export class SourceSession {
  readonly #platform: Platform;
  readonly #host: SyncerHost;
  readonly #config: SourceConfig;
  readonly #progress: SessionProgress;
  readonly #logger: Logger;
  readonly #pull: Pull;
  readonly #clients = new Set<MysqlClient>();
  /** Connections on their way, for what comes next. */
  readonly #spares: Promise<MysqlClient>[] = [];
  readonly #silence: SilenceWatch;
  #endSetsWatch: Cancel = () => {};
  #acks: AckSender | null = null;
  #over = false;
  #flushQueued = false;
  #failure: Error | null = null;
  #accepted = false;
  #runningSinceMs: number | null = null;
  /** Why apply did not take the first chunk of this pull; empty when it did, or when none came. */
  refusal = "";

  constructor({ platform, host, config, pull, progress, logger }: SessionParts) {
    this.#platform = platform;
    this.#host = host;
    this.#config = config;
    this.#pull = pull;
    this.#progress = progress;
    this.#logger = logger;
    this.#silence = new SilenceWatch(platform.clock, host, (error) => this.#fail(error));
  }

  /** The pull was where it should be: what failed before it is past. */
  get held(): boolean {
    if (this.#accepted) return true;
    if (this.refusal !== "" || this.#runningSinceMs === null) return false;
    return this.#platform.clock.mono() - this.#runningSinceMs >= HELD_MS;
  }

  /** Rejects with what ended it: SyncerStop, ClientError, MysqlError, StreamError, PullEnded, … */
  async run(signal: AbortSignal, onRunning: () => void): Promise<never> {
    const abort = (): void => this.#fail(new PullEnded("The syncer was stopped"));
    signal.addEventListener("abort", abort, { once: true });
    const unobserve = this.#host.observe({ chunkApplied: (c, o) => this.#chunkApplied(c, o) });
    try {
      return await this.#run(onRunning);
    } catch (error) {
      throw this.#failure ?? error;
    } finally {
      signal.removeEventListener("abort", abort);
      unobserve();
      this.#silence.stop();
      this.#endSetsWatch();
      this.#over = true;
      for (const client of this.#clients) client.connection.destroy();
      this.#progress.running = false;
    }
  }

  /** Ends the session from outside of its own reads. */
  #fail(error: Error): void {
    this.#failure ??= error;
    for (const client of this.#clients) client.connection.destroy();
    this.#host.progressed.wake();
  }

  async #connect(): Promise<MysqlClient> {
    const client = await connect(clientConfig(this.#config), this.#platform);
    this.#clients.add(client);
    if (this.#over) client.connection.destroy();
    if (this.#failure !== null) throw this.#failure;
    return client;
  }

  /**
   * What an attach needs besides, while the source is asked what it is: to another continent a login takes
   * seconds. Not before the first one worked: a wrong password is tried once.
   */
  #connectAhead(): void {
    for (let i = 0; i < ATTACH_CONNECTIONS; i++) {
      const client = this.#connect();
      client.catch(() => {});
      this.#spares.push(client);
    }
  }

  #nextConnection(): Promise<MysqlClient> {
    return this.#spares.shift() ?? this.#connect();
  }

  async #run(onRunning: () => void): Promise<never> {
    const control = await this.#connect();
    this.#connectAhead();
    const facts = await readFacts(control, this.#config);
    this.#progress.checks = facts.checks;
    this.#progress.facts = facts;
    const failed = facts.checks.filter((check) => check.level === "fail");
    if (failed.length > 0) {
      const reason = failed.map((check) => check.message).join(". ");
      throw new SyncerStop("REFUSED", reason, "mend the source, then binraft syncer start");
    }
    // A dump request is an acknowledgement: nothing that is not committed here may be in it.
    await this.#host.settled();
    // Whoever leads by now pulls on: what is stored here may be newer than what the source was asked.
    this.#mustLead();
    await this.#introduce(facts);
    this.#silence.start();
    let dump: DumpConnection | null = null;
    const attached = await attach({
      host: this.#host,
      facts,
      pull: this.#pull,
      crc32: this.#platform.crypto.crc32,
      control,
      serverId: this.#config.serverId,
      probing: () => this.#probing(),
      dumping: async () => {
        dump = await this.#dumping(facts);
        return dump;
      },
    });
    for (const spare of this.#spares.splice(0))
      spare.then(
        (client) => client.close(),
        () => {},
      );
    const { clock } = this.#platform;
    const { semiSyncWatch } = this.#progress;
    this.#endSetsWatch = watchSets(
      {
        clock,
        host: this.#host,
        logger: this.#logger,
        control,
        facts,
        semiSyncWatch,
        acknowledges: () => this.#progress.running && this.#progress.semiSync,
      },
      (error) => this.#fail(error),
    );
    return await this.#stream(dump!, attached, facts, onRunning);
  }

  /** What the source has purged is what a log that stored nothing never had. */
  async #introduce(facts: SourceFacts): Promise<void> {
    const { stream } = this.#host;
    if (!stream.started && stream.purged.toString() !== facts.purged.toString()) {
      this.#logger.info("What the source has purged is recorded as purged here", {
        purged: facts.purged.toString(),
      });
      await this.#host.start(facts.purged);
    }
    checkSets(this.#host, facts);
    const errant = errantTransactions(stream, facts);
    const check = errantCheck(errant);
    if (check === null || check.message === this.#progress.errant?.message) return;
    this.#progress.errant = check;
    this.#logger.warn(check.message, { source: facts.uuid, gtids: errant.toString() });
  }

  /** A connection for a question: without semi-sync, so that it acknowledges nothing. */
  async #probing(): Promise<DumpConnection> {
    const probing = new DumpConnection(await this.#nextConnection(), false, this.#silence);
    await probing.client.execute(
      "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
    );
    return probing;
  }

  /** The connection that the pull reads from. */
  async #dumping(facts: SourceFacts): Promise<DumpConnection> {
    const semiSync = this.#config.semiSync && facts.semiSync;
    const dump = new DumpConnection(await this.#nextConnection(), semiSync, this.#silence);
    await dump.prepare({ ...this.#config, semiSync, heartbeatMs: HEARTBEAT_MS });
    // It would take the connection away from the one who leads.
    this.#mustLead();
    this.#progress.semiSync = semiSync;
    return dump;
  }

  async #stream(
    dump: DumpConnection,
    attached: Attached,
    facts: SourceFacts,
    onRunning: () => void,
  ): Promise<never> {
    const { stream: state, progressed } = this.#host;
    const { connection } = dump.client;
    const { clock, crypto } = this.#platform;
    const cursor = {
      epoch: state.epoch,
      pull: this.#pull,
      source: sourceOf(facts),
      pullSequence: 0,
      streamOffset: state.visibleEnd,
      file: attached.file,
      fileOffset: attached.fileOffset,
      sequence: state.visibleSequence,
      flags: ChunkFlag.RESTARTS,
    };
    const events = new EventStream({
      semiSync: dump.semiSync,
      crc32: crypto.crc32,
      checksum: attached.checksum,
      cursor,
      takeBuffer: () => this.#host.pool.take(),
    });
    this.#progress.running = true;
    this.#progress.connectedAtMs = this.#runningSinceMs = clock.mono();
    this.#progress.file = attached.file;
    this.#logger.info("Pulling from the source", {
      file: attached.file,
      offset: attached.fileOffset,
      source: facts.uuid,
      semiSync: dump.semiSync,
    });
    this.#acks = new AckSender(clock, this.#host, dump, facts.uuid, this.#progress);
    this.#acks.ackVisible();
    onRunning();
    for (const packet of attached.pushed) this.#take(events, packet);
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      if (events.ending !== null) {
        this.#propose(events.takeReady());
        throw endingError(events.ending);
      }
      if (this.#host.pendingBytes > PENDING_BYTES) await progressed.wait();
      else if (!(await connection.consumeStream((bytes) => this.#take(events, bytes)))) {
        throw this.#failure ?? new StreamError("malformed", "The source closed the connection");
      }
    }
  }

  /** Parses and proposes what came. False when no more is wanted: trouble, the end, or enough is pending. */
  #take(events: EventStream, bytes: Uint8Array): boolean {
    if (this.#failure !== null) return false;
    this.#silence.heard();
    this.#progress.receivedBytes += bytes.length;
    try {
      for (let at = 0; at < bytes.length && events.ending === null; ) {
        at += events.push(at === 0 ? bytes : bytes.subarray(at));
        while (this.#propose(events.takeFull()));
      }
    } catch (error) {
      this.#fail(error as Error);
      return false;
    }
    this.#progress.file = events.file;
    this.#flushSoon(events);
    return events.ending === null && this.#host.pendingBytes <= PENDING_BYTES;
  }

  /** Once all that has arrived was taken, not piece by piece. */
  #flushSoon(events: EventStream): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.#platform.clock.soon(() => this.#flushNow(events));
  }

  #flushNow(events: EventStream): void {
    this.#flushQueued = false;
    if (this.#failure !== null) return;
    try {
      this.#flush(events);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /**
   * Proposes what stands in whole units. While a batch is being written it would only wait for the
   * next one: then it may as well grow until that begins.
   */
  #flush(events: EventStream): void {
    if (!this.#host.isWriting) {
      if (!this.#propose(events.takeReady())) this.#acks?.ackQuietly();
      return;
    }
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.#host.progressed.once(() => this.#flushNow(events));
  }

  #mustLead(): void {
    if (!this.#host.leads || this.#host.term !== this.#pull.term)
      throw new PullEnded("This node no longer leads, or leads anew");
  }

  #propose(chunk: BuiltChunk | null): boolean {
    if (chunk === null) return false;
    this.#mustLead();
    this.#acks?.proposed(chunk);
    this.#host.propose(chunk.payload);
    return true;
  }

  #chunkApplied(chunk: Chunk, outcome: Outcome): void {
    if (chunk.pull.id !== this.#pull.id || chunk.pull.term !== this.#pull.term) return;
    if (this.#failure !== null) return;
    if (outcome.accepted) {
      this.#accepted = true;
      this.#acks?.accepted(chunk, outcome);
      return;
    }
    if (!this.#accepted) this.refusal = outcome.reason;
    this.#fail(new PullEnded(`A chunk of this pull was not taken: ${outcome.reason}`));
  }
}

function endingError(packet: Uint8Array): Error {
  if (packet[0] === 0xff) return decodeErr(packet) as MysqlError;
  return new PullEnded("The source ended the dump: it is shutting down");
}
