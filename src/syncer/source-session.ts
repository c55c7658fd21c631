/**
 * One attempt at the source: log in, check, attach, stream until something ends it. It never
 * retries; who called decides (syncer.ts).
 */
import type { Logger } from "../base/logger.ts";
import { type Chunk, ChunkFlag, type Pull } from "../binlog/chunk.ts";
import type { BuiltChunk } from "../binlog/chunk-builder.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import { type ClientConfig, ClientError, connect, type MysqlClient } from "../mysql/client.ts";
import type { MysqlError } from "../mysql/errors.ts";
import { decodeErr } from "../mysql/response.ts";
import type { Cancel } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import {
  type Attached,
  begin,
  COMPARE_BYTES,
  checkSets,
  dumpSet,
  hasFile,
  probe,
  resumableFile,
  resume,
} from "./attach.ts";
import { DumpConnection } from "./dump-connection.ts";
import { errantCheck, errantTransactions } from "./errant.ts";
import { EventStream } from "./event-stream.ts";
import { type SourceCheck, type SourceConfig, type SyncerHost, SyncerStop } from "./host.ts";
import { type SemiSyncWatch, semiSyncCounters } from "./semi-sync-watch.ts";
import { gtidSets, oldestFile, readFacts, type SourceFacts } from "./source-checks.ts";
import { storeStop } from "./stop-event.ts";
import { StreamError } from "./stream-error.ts";

export const HEARTBEAT_MS = 5_000;
/** Without any packet for so long the source, or the way to it, is gone. */
const SILENCE_MS = 3 * HEARTBEAT_MS + 1_000;
const SETS_CHECK_MS = 10_000;
/** Proposed and not yet applied: beyond it the socket is not read . */
export const PENDING_BYTES: number = 16 * 1024 * 1024;
const QUIET_ACK_MS = 100;

/** What the session tells while it runs; owned by the syncer. */
export interface SessionProgress {
  checks: readonly SourceCheck[];
  /** What the newest source brought along when it became ours. */
  errant: SourceCheck | null;
  facts: SourceFacts | null;
  running: boolean;
  semiSync: boolean;
  readonly semiSyncWatch: SemiSyncWatch;
  file: string;
  acksSent: number;
  ackedFile: string;
  ackedPosition: number;
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
  #over = false;
  #silenceTimer: Cancel = () => {};
  #setsTimer: Cancel = () => {};
  #flushQueued = false;
  #failure: Error | null = null;
  /** Pull sequences of chunks with a transaction that a session of the source waits for. */
  readonly #wanted = new Set<number>();
  #dump: DumpConnection | null = null;
  #lastReadMs = 0;
  #lastAckMs = 0;

  constructor(
    platform: Platform,
    host: SyncerHost,
    config: SourceConfig,
    pull: Pull,
    progress: SessionProgress,
    logger: Logger,
  ) {
    this.#platform = platform;
    this.#host = host;
    this.#config = config;
    this.#pull = pull;
    this.#progress = progress;
    this.#logger = logger;
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
      this.#silenceTimer();
      this.#setsTimer();
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
    const attached = await this.#attach(control, facts);
    for (const spare of this.#spares.splice(0))
      spare.then(
        (client) => client.close(),
        () => {},
      );
    this.#watchSets(control, facts);
    return await this.#stream(attached, facts, onRunning);
  }

  /** The first time: what the source has purged is what we never had. Then: whose log it is. */
  async #introduce(facts: SourceFacts): Promise<void> {
    const { stream } = this.#host;
    if (!stream.started && stream.source === null) {
      if (!facts.purged.isEmpty) {
        this.#logger.info("What the source has purged is recorded as purged here", {
          purged: facts.purged.toString(),
        });
      }
      await this.#host.start(facts.purged);
    }
    // Before the server is recorded as our source: a refused one leaves no trace.
    checkSets(this.#host, facts);
    this.#noteErrant(facts);
    if (stream.source?.uuid !== facts.uuid || stream.source.version !== facts.version) {
      await this.#host.attachSource(facts.uuid, facts.version);
    }
  }

  #noteErrant(facts: SourceFacts): void {
    const errant = errantTransactions(this.#host.stream, facts);
    const check = errantCheck(errant);
    if (check === null) return;
    this.#progress.errant = check;
    this.#logger.warn(check.message, { source: facts.uuid, gtids: errant.toString() });
  }

  async #attach(control: MysqlClient, facts: SourceFacts): Promise<Attached> {
    const first = !this.#host.stream.files.some((file) => file.epoch === this.#host.stream.epoch);
    const probed = await probe(await this.#probing(), this.#host, facts);
    const file = resumableFile(this.#host, facts, probed);
    const kept =
      file !== null && (await hasFile(await this.#probing(), this.#host, facts, file))
        ? file
        : null;
    const semiSync = this.#config.semiSync && facts.semiSync;
    const dump = new DumpConnection(await this.#nextConnection(), semiSync);
    await dump.prepare({ ...this.#config, semiSync, heartbeatMs: HEARTBEAT_MS });
    this.#dump = dump;
    // It would take the connection away from the one who leads.
    this.#mustLead();
    this.#progress.semiSync = semiSync;
    if (kept !== null) {
      const last = this.#host.stream.last;
      if (last !== null && last.file === kept.name && last.eventBytes > COMPARE_BYTES) {
        await storeStop(
          new DumpConnection(await this.#nextConnection(), false),
          this.#host,
          kept,
          this.#pull,
          this.#platform.crypto.crc32,
        );
      }
      dump.startGtidDump(this.#config.serverId, kept.sourceName, dumpSet(this.#host, kept), false);
      return await resume(dump, this.#host, facts, kept);
    }
    // An empty log takes the oldest file there is, from its first byte.
    const name = first ? (await oldestFile(control)) || probed : probed;
    dump.startGtidDump(this.#config.serverId, name, dumpSet(this.#host, null), false);
    return await begin(dump, this.#host, facts, name);
  }

  /** A connection for a question: without semi-sync, so that it acknowledges nothing. */
  async #probing(): Promise<DumpConnection> {
    const probing = new DumpConnection(await this.#nextConnection(), false);
    await probing.client.execute(
      "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum",
    );
    return probing;
  }

  /** What is purged or reset at the source while we pull shows in no event: it is asked for. */
  #watchSets(control: MysqlClient, facts: SourceFacts): void {
    this.#setsTimer = this.#platform.clock.after(SETS_CHECK_MS, () => {
      this.#look(control, facts).then(
        () => this.#watchSets(control, facts),
        (error: Error) => this.#fail(error),
      );
    });
  }

  async #look(control: MysqlClient, facts: SourceFacts): Promise<void> {
    // Taken before the question: what comes in meanwhile may not be in the answer.
    const stored = this.#host.stream.executed.clone();
    checkSets(this.#host, { ...facts, ...(await gtidSets(control)) }, stored);
    const { running, semiSync, semiSyncWatch } = this.#progress;
    if (!running || !semiSync) return;
    semiSyncWatch.look(facts.uuid, await semiSyncCounters(control), this.#logger);
  }

  async #stream(attached: Attached, facts: SourceFacts, onRunning: () => void): Promise<never> {
    const { stream: state, progressed } = this.#host;
    const { connection } = this.#dump!.client;
    const cursor = {
      epoch: state.epoch,
      pull: this.#pull,
      pullSequence: 0,
      streamOffset: state.visibleEnd,
      file: attached.file,
      fileOffset: attached.fileOffset,
      sequence: state.visibleSequence,
      flags: attached.flags | ChunkFlag.RESTARTS,
    };
    const events = new EventStream({
      semiSync: this.#dump!.semiSync,
      crc32: this.#platform.crypto.crc32,
      checksum: attached.checksum,
      cursor,
      takeBuffer: () => this.#host.pool.take(),
    });
    this.#progress.running = true;
    this.#progress.connectedAtMs = this.#platform.clock.mono();
    this.#progress.file = attached.file;
    this.#logger.info("Pulling from the source", {
      file: attached.file,
      offset: attached.fileOffset,
      source: facts.uuid,
      semiSync: this.#dump!.semiSync,
    });
    this.#ackVisible();
    this.#watchSilence();
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
    this.#lastReadMs = this.#platform.clock.mono();
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
      if (!this.#propose(events.takeReady())) this.#ackQuietly();
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
    if (chunk.ackWanted) this.#wanted.add(chunk.pullSequence);
    this.#host.propose(chunk.payload);
    return true;
  }

  #chunkApplied(chunk: Chunk, outcome: Outcome): void {
    if (chunk.pull.id !== this.#pull.id || chunk.pull.term !== this.#pull.term) return;
    if (!outcome.accepted) {
      this.#fail(new PullEnded(`A chunk of this pull was not taken: ${outcome.reason}`));
      return;
    }
    const wanted = this.#wanted.delete(chunk.pullSequence);
    if (outcome.visibleMoved && wanted) this.#ackVisible();
  }

  /** All that is committed and applied of this source, in its own file and position. */
  #ackVisible(): void {
    const file = this.#host.stream.file;
    const dump = this.#dump;
    if (dump === null || !dump.semiSync || file === null || this.#failure !== null) return;
    if (file.sourceUuid !== this.#progress.facts?.uuid || file.epoch !== this.#host.stream.epoch)
      return;
    const { ackedFile, ackedPosition } = this.#progress;
    dump.ack(file.sourceName, file.size);
    this.#lastAckMs = this.#platform.clock.mono();
    this.#progress.acksSent++;
    if (ackedFile !== file.sourceName || ackedPosition !== file.size) {
      this.#progress.ackedFile = file.sourceName;
      this.#progress.ackedPosition = file.size;
    }
  }

  /** What came without a request, as while catching up, is acknowledged when it is quiet. */
  #ackQuietly(): void {
    const file = this.#host.stream.file;
    if (file === null || this.#dump?.semiSync !== true) return;
    const { ackedFile, ackedPosition } = this.#progress;
    if (ackedFile === file.sourceName && ackedPosition === file.size) return;
    if (this.#platform.clock.mono() - this.#lastAckMs >= QUIET_ACK_MS) this.#ackVisible();
  }

  #watchSilence(): void {
    const { clock } = this.#platform;
    this.#lastReadMs = clock.mono();
    const check = (): void => {
      const quietMs = clock.mono() - this.#lastReadMs;
      // Not reading because our own log is behind is no silence of the source's.
      const paused = this.#host.pendingBytes > 0;
      if (quietMs >= SILENCE_MS && !paused) {
        this.#fail(
          new ClientError("timeout", `No packet from the source for ${Math.round(quietMs)} ms`),
        );
        return;
      }
      this.#silenceTimer = clock.after(HEARTBEAT_MS, check);
    };
    check();
  }
}

function endingError(packet: Uint8Array): Error {
  if (packet[0] === 0xff) return decodeErr(packet) as MysqlError;
  return new PullEnded("The source ended the dump: it is shutting down");
}

export function clientConfig(config: SourceConfig): ClientConfig {
  const { host, port, user, password, tlsCa, tlsCert, tlsKey, publicKey, nativePassword } = config;
  return {
    host,
    port,
    user,
    password,
    tls: {
      mode: config.tls,
      ...(tlsCa === null ? {} : { ca: tlsCa }),
      ...(tlsCert === null ? {} : { cert: tlsCert }),
      ...(tlsKey === null ? {} : { key: tlsKey }),
    },
    ...(publicKey === null ? {} : { publicKey }),
    nativePassword,
    attributes: { program_name: "binraft", _client_role: "binary_log_listener" },
    queryTimeoutMs: 30_000,
  };
}
