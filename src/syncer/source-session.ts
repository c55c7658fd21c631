/**
 * One attempt at the source: log in, check, attach, stream until something ends it. It never
 * retries; who called decides (syncer.ts).
 */
import { type Logger, printable } from "../base/logger.ts";
import type { Chunk, Pull } from "../binlog/chunk.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import type { MysqlClient } from "../mysql/client.ts";
import type { Platform } from "../platform/platform.ts";
import { type AckProgress, AckSender } from "./ack-sender.ts";
import { attach, attachAtOnce, resumesAtOnce } from "./attach.ts";
import { ANNOUNCE_CHECKSUM, DumpConnection, prepareDump } from "./dump-connection.ts";
import { errantCheck, errantTransactions } from "./errant.ts";
import type { SourceCheck, SourceConfig, SyncerHost } from "./host.ts";
import type { KeptConnection } from "./kept-connection.ts";
import type { Attached } from "./named-dump.ts";
import { PullEnded, PullStream } from "./pull-stream.ts";
import type { SemiSyncWatch } from "./semi-sync-watch.ts";
import { readFacts, type SourceFacts } from "./source-checks.ts";
import type { SourceLogin } from "./source-login.ts";
import { checkSets } from "./source-sets.ts";
import { mustPass, SetsWatch, SilenceWatch } from "./source-watch.ts";

/** A pull that ran for so long was where it should be, also if nothing came. */
const HELD_MS = 30_000;

/** What the session tells while it runs; owned by the syncer. */
export interface SessionProgress extends AckProgress {
  checks: readonly SourceCheck[];
  /** What the newest source brought along when it became ours. */
  errant: SourceCheck | null;
  running: boolean;
  semiSync: boolean;
  readonly semiSyncWatch: SemiSyncWatch;
  file: string;
  receivedBytes: number;
  connectedAtMs: number;
}

/** Two questions and the dump. */
const ATTACH_CONNECTIONS = 3;

export interface SessionParts {
  readonly platform: Platform;
  readonly host: SyncerHost;
  readonly config: SourceConfig;
  readonly pull: Pull;
  readonly progress: SessionProgress;
  readonly logger: Logger;
  readonly login: SourceLogin;
  readonly kept: KeptConnection;
}

/** How a pull begins: on which connection, and where. */
interface Begun {
  readonly dump: DumpConnection;
  readonly attached: Attached;
  readonly facts: SourceFacts;
  /** For questions; null when none is open yet. */
  readonly control: MysqlClient | null;
}

export class SourceSession {
  readonly #platform: Platform;
  readonly #host: SyncerHost;
  readonly #config: SourceConfig;
  readonly #progress: SessionProgress;
  readonly #logger: Logger;
  readonly #login: SourceLogin;
  readonly #kept: KeptConnection;
  readonly #pull: Pull;
  readonly #clients = new Set<MysqlClient>();
  /** Connections on their way, for what comes next. */
  readonly #spares: Promise<MysqlClient>[] = [];
  readonly #silence: SilenceWatch;
  #setsWatch: SetsWatch | null = null;
  #acks: AckSender | null = null;
  #over = false;
  #failure: Error | null = null;
  #accepted = false;
  #runningSinceMs: number | null = null;
  /** Why apply did not take the first chunk of this pull; empty when it did, or when none came. */
  refusal = "";

  constructor(parts: SessionParts) {
    const { platform, host, config, pull, progress, logger, login, kept } = parts;
    this.#platform = platform;
    this.#host = host;
    this.#config = config;
    this.#pull = pull;
    this.#progress = progress;
    this.#logger = logger;
    this.#login = login;
    this.#kept = kept;
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
      this.#setsWatch?.stop();
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
    const client = this.#own(await this.#login.connect(this.#config));
    if (this.#failure !== null) throw this.#failure;
    return client;
  }

  #own(client: MysqlClient): MysqlClient {
    this.#clients.add(client);
    void client.connection.closed.then(() => this.#clients.delete(client));
    if (this.#over) client.connection.destroy();
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
    const begun = (await this.#beginAtOnce()) ?? (await this.#begin());
    this.#setsWatch = new SetsWatch({
      platform: this.#platform,
      host: this.#host,
      config: this.#config,
      logger: this.#logger,
      sourceUuid: begun.facts.uuid,
      connect: () => this.#connect(),
      onFacts: ({ checks }) => {
        this.#progress.checks = checks;
      },
      semiSyncWatch: this.#progress.semiSyncWatch,
      semiSync: begun.dump.semiSync,
    });
    this.#setsWatch.run(begun.control).catch((error: Error) => this.#fail(error));
    return await this.#stream(begun, onRunning);
  }

  /** On the connection that was kept; null when there is none, or it does not do. */
  async #beginAtOnce(): Promise<Begun | null> {
    const known = this.#kept.peek(this.#config);
    if (known === null || !resumesAtOnce(this.#host, known)) return null;
    await this.#settled();
    const kept = await this.#kept.take(this.#config);
    if (kept === null || !resumesAtOnce(this.#host, kept.facts)) {
      kept?.client.close();
      return null;
    }
    const { facts } = kept;
    const client = this.#own(kept.client);
    try {
      const dump = this.#dumping(client, this.#config.semiSync && facts.semiSync);
      this.#silence.start();
      const attached = await attachAtOnce(dump, this.#host, facts, this.#config.serverId);
      this.#progress.checks = facts.checks;
      return { dump, attached, facts, control: null };
    } catch (error) {
      client.connection.destroy();
      if (this.#failure !== null) throw this.#failure;
      this.#mustLead();
      this.#silence.stop();
      const reason = printable((error as Error).message, 512);
      this.#logger.info("The kept connection did not do: the source is asked from the start", {
        reason,
      });
      return null;
    }
  }

  async #begin(): Promise<Begun> {
    const control = await this.#connect();
    this.#connectAhead();
    const facts = await readFacts(control, this.#config);
    this.#progress.checks = facts.checks;
    mustPass(facts);
    await this.#settled();
    this.#host.sourceSays(facts.values);
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
        const client = await this.#nextConnection();
        const semiSync = this.#config.semiSync && facts.semiSync;
        await prepareDump(client, { ...this.#config, semiSync });
        dump = this.#dumping(client, semiSync);
        return dump;
      },
    });
    for (const spare of this.#spares.splice(0))
      spare.then(
        (client) => client.close(),
        () => {},
      );
    return { dump: dump!, attached, facts, control };
  }

  /**
   * A dump request is an acknowledgement: nothing that is not committed here may be in it. Whoever leads by
   * now pulls on: what is stored here may be newer than what the source was asked.
   */
  async #settled(): Promise<void> {
    await this.#host.settled();
    this.#mustLead();
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
    await probing.client.execute(ANNOUNCE_CHECKSUM);
    return probing;
  }

  /** The connection that the pull reads from; all that comes before a dump has been said on it. */
  #dumping(client: MysqlClient, semiSync: boolean): DumpConnection {
    const dump = new DumpConnection(client, semiSync, this.#silence);
    // It would take the connection away from the one who leads.
    this.#mustLead();
    this.#progress.semiSync = semiSync;
    return dump;
  }

  async #stream({ dump, attached, facts }: Begun, onRunning: () => void): Promise<never> {
    const { clock } = this.#platform;
    this.#progress.running = true;
    this.#progress.connectedAtMs = this.#runningSinceMs = clock.mono();
    this.#progress.file = attached.file;
    this.#logger.info("Pulling from the source", {
      file: attached.file,
      offset: attached.fileOffset,
      source: facts.uuid,
      semiSync: dump.semiSync,
    });
    const acks = new AckSender(clock, this.#host, dump, facts.uuid, this.#progress);
    this.#acks = acks;
    acks.ackVisible();
    onRunning();
    return await new PullStream({
      platform: this.#platform,
      host: this.#host,
      pull: this.#pull,
      dump,
      attached,
      facts,
      acks,
      silence: this.#silence,
      progress: this.#progress,
      mustLead: () => this.#mustLead(),
      failure: () => this.#failure,
      fail: (error) => this.#fail(error),
    }).run();
  }

  #mustLead(): void {
    if (!this.#host.leads || this.#host.term !== this.#pull.term)
      throw new PullEnded("This node no longer leads, or leads anew");
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
