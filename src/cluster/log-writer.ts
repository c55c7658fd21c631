/**
 * Carries out what the core wants written (MsgStorageAppend), in order, and says when it is durable.
 *
 * - One batch is written at a time; what comes meanwhile becomes the next one (group commit).
 * - The responses of an append are given back when all of it is durable, and all before it.
 * - A snapshot takes the place of the whole log; the entries behind it are appended then.
 * - A commit index alone is not worth a sync: it goes with the next batch. That of a change of the members is:
 *   it is applied only once it is durable (driver.ts).
 * - When the disk has no room for the batch in hand it waits, nothing of it being written. Terms and votes
 *   go on, through the reserve that the log keeps for them, so that the others can elect a leader.
 * - Small entries that are not of the stream may use the reserve as well: a purge is one of them.
 */
import { type Service, Wakeup } from "../base/service.ts";
import { isChunk } from "../binlog/chunk.ts";
import type { Clock } from "../platform/clock.ts";
import { payloadsSize } from "../raft/sizes.ts";
import type { Entry, HardState, Message, MessageType, Snapshot } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { LogFull } from "../storage/storage.ts";

/** Payload bytes in one batch; what is more is written in several. */
const BATCH_BYTES = 8 * 1024 * 1024;
const FULL_RETRY_MS = 500;
/** What a control entry takes at most, and a batch of them. */
const CONTROL_BYTES = 64 * 1024;

/** They promise a term and a vote, and nothing of entries. */
const VOTE_RESPONSES: ReadonlySet<MessageType> = new Set(["MsgVoteResp", "MsgPreVoteResp"]);

interface Append {
  readonly snapshot: Snapshot | null;
  readonly entries: readonly Entry[];
  /** Null when it did not change. */
  hardState: HardState | null;
  responses: readonly Message[];
}

interface Batch {
  readonly snapshot: Snapshot | null;
  readonly entries: readonly Entry[];
  readonly responses: readonly Message[];
}

export interface LogWriterEvents {
  readonly onDurable: (responses: readonly Message[]) => void;
  /** Before the responses of the append that brought it. */
  readonly onInstalled: (snapshot: Snapshot) => void;
}

export class LogWriter implements Service {
  readonly #log: DurableLog;
  readonly #clock: Clock;
  readonly #events: LogWriterEvents;
  readonly #work = new Wakeup();
  #queue: Append[] = [];
  /** The newest of the core, of all that was taken from the queue. */
  #hardState: HardState;
  #writingSinceMs: number | null = null;
  /** Payload bytes that are not durable yet. */
  unsyncedBytes = 0;
  /** The batch in hand waits for space: what comes meanwhile of the leader's entries is not taken. */
  full = false;

  constructor(log: DurableLog, clock: Clock, events: LogWriterEvents) {
    this.#log = log;
    this.#hardState = log.hardState;
    this.#clock = clock;
    this.#events = events;
  }

  /** How long the batch under way has taken so far; 0 when there is none. */
  get writingMs(): number {
    return this.#writingSinceMs === null ? 0 : this.#clock.mono() - this.#writingSinceMs;
  }

  push({ entries, term, vote, commit, snapshot, responses }: Message): void {
    const hardState = term === 0 ? null : { term, vote, commit };
    this.unsyncedBytes += payloadsSize(entries);
    const parts = partsOf(entries);
    for (const [at, part] of parts.entries()) {
      const last = at === parts.length - 1;
      this.#queue.push({
        snapshot: at === 0 ? snapshot : null,
        entries: part,
        hardState,
        responses: last ? responses : [],
      });
    }
    this.#work.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#work.wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!signal.aborted) {
        if (this.#queue.length === 0) await this.#work.wait();
        else await this.#write(this.#take(), signal);
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** As many appends as make one batch: entries without a gap, up to BATCH_BYTES. */
  #take(): Batch {
    const entries: Entry[] = [];
    const responses: Message[] = [];
    let bytes = 0;
    let count = 0;
    const snapshot = this.#queue[0]?.snapshot ?? null;
    for (const append of this.#queue) {
      if (count > 0 && append.snapshot !== null) break;
      const first = append.entries[0];
      const size = payloadsSize(append.entries);
      const last = entries.at(-1);
      if (first !== undefined && last !== undefined) {
        // One that replaces what came before it begins a batch of its own.
        if (first.index !== last.index + 1 || bytes + size > BATCH_BYTES) break;
      }
      for (const entry of append.entries) entries.push(entry);
      responses.push(...append.responses);
      this.#hardState = append.hardState ?? this.#hardState;
      bytes += size;
      count++;
    }
    this.#queue = this.#queue.slice(count);
    return { snapshot, entries, responses };
  }

  async #write({ snapshot, entries, responses }: Batch, signal: AbortSignal): Promise<void> {
    if (snapshot !== null && !(await this.#install(snapshot, signal))) return;
    if (entries.length > 0 || this.#mustSync) {
      if (!(await this.#append(entries, signal))) return;
      this.unsyncedBytes -= payloadsSize(entries);
    }
    this.#events.onDurable(responses);
  }

  get #mustSync(): boolean {
    const { term, vote, commit } = this.#log.hardState;
    if (this.#hardState.term !== term || this.#hardState.vote !== vote) return true;
    const end = Math.min(this.#hardState.commit, this.#log.lastIndex) + 1;
    return commit + 1 < end && this.#log.hasConfChange(commit + 1, end);
  }

  /** As it may be stored when the log is this node's up to `last`: behind that may stand what is to be replaced. */
  #storable(last: number): HardState {
    return { ...this.#hardState, commit: Math.min(this.#hardState.commit, last) };
  }

  /** False when the signal ended the wait for space. */
  #append(entries: readonly Entry[], signal: AbortSignal): Promise<boolean> {
    const before = (entries[0]?.index ?? this.#log.lastIndex + 1) - 1;
    const replaces = before < this.#log.lastIndex ? { truncateAfter: before } : {};
    return this.#untilThereIsSpace(before, signal, () => {
      const hardState = this.#storable(before + entries.length);
      return this.#log.append({ hardState, entries, ...replaces, isControl: isControl(entries) });
    });
  }

  async #install(snapshot: Snapshot, signal: AbortSignal): Promise<boolean> {
    const { index, term, data } = snapshot;
    const done = await this.#untilThereIsSpace(this.#log.lastIndex, signal, () =>
      this.#log.install({ index, term, data }, { ...this.#hardState, commit: index }),
    );
    if (done) this.#events.onInstalled(snapshot);
    return done;
  }

  /** `before` is the entry up to which the log stays what it is. */
  async #untilThereIsSpace(
    before: number,
    signal: AbortSignal,
    write: () => Promise<void>,
  ): Promise<boolean> {
    for (;;) {
      try {
        this.#writingSinceMs = this.#clock.mono();
        await write();
        this.full = false;
        return true;
      } catch (error) {
        if (!(error instanceof LogFull)) throw error;
      } finally {
        this.#writingSinceMs = null;
      }
      if (signal.aborted) return false;
      this.full = true;
      await this.#waitForSpace(before, signal);
    }
  }

  /** Until it is time to try again; what comes meanwhile of terms and votes is not kept waiting. */
  async #waitForSpace(before: number, signal: AbortSignal): Promise<void> {
    let isDue = false;
    const cancel = this.#clock.after(FULL_RETRY_MS, () => {
      isDue = true;
      this.#work.wake();
    });
    while (!isDue && !signal.aborted) {
      await this.#votesOnly(before);
      if (!isDue && !signal.aborted) await this.#work.wait();
    }
    cancel();
  }

  /** While entries wait: what is queued of terms and votes is made durable, and told. */
  async #votesOnly(before: number): Promise<void> {
    const queued = this.#queue.slice();
    for (const append of queued) {
      this.#hardState = append.hardState ?? this.#hardState;
      append.hardState = null;
    }
    if (this.#mustSync) {
      try {
        await this.#log.append({ hardState: this.#storable(before), entries: [] });
      } catch (error) {
        if (error instanceof LogFull) return;
        throw error;
      }
    }
    const votes: Message[] = [];
    for (const append of queued) {
      votes.push(...append.responses.filter(({ type }) => VOTE_RESPONSES.has(type)));
      append.responses = append.responses.filter(({ type }) => !VOTE_RESPONSES.has(type));
    }
    if (votes.length > 0) this.#events.onDurable(votes);
  }
}

/** They are small, some hold something, and none is of the stream. */
function isControl(entries: readonly Entry[]): boolean {
  const bytes = payloadsSize(entries);
  return bytes > 0 && bytes <= CONTROL_BYTES && !entries.some(({ data }) => isChunk(data));
}

/** Entries in order, in runs of about BATCH_BYTES; one empty run for a hard state alone. */
function partsOf(entries: readonly Entry[]): (readonly Entry[])[] {
  const parts: (readonly Entry[])[] = [];
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at++) {
    const size = entries[at]!.data.length;
    if (at > from && bytes + size > BATCH_BYTES) {
      parts.push(entries.slice(from, at));
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  parts.push(from === 0 ? entries : entries.slice(from));
  return parts;
}
