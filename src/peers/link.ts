/**
 * One link to a node that has proved itself: frames both ways, calls with answers, and the end when
 * nothing is heard any more (contract: protocol.ts).
 */
import { ByteReader, ByteWriter, concatBytes, MalformedBytes, readU32 } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { decodePacked, encodePacked } from "../base/packed.ts";
import type { Conn } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import type { Entry, Message } from "../raft/types.ts";
import { message } from "../raft/types.ts";
import { type AnswerKind, CallFailed, PendingCalls } from "./calls.ts";
import {
  FRAME_HEAD_BYTES,
  type Frame,
  type FrameBuffers,
  FrameReader,
  frameHead,
  numbered,
  writeFrameHead,
} from "./frames.ts";
import { entriesTrouble, nonsenseIn } from "./message-check.ts";
import { decodeMessage, encodeMessage, messageBytes, writeMessage } from "./message-codec.ts";
import { type Packer, unpack } from "./packing.ts";
import {
  FRAME_CAPS,
  FrameKind,
  type Hello,
  LinkRefused,
  MAX_INDEX,
  MAX_TERM,
  Nonsense,
  type Refusal,
} from "./protocol.ts";
import { callOf, failureOf, helloOf, refusalOf, type StatusFrame, statusOf } from "./shapes.ts";

const HELLO_MS = 10_000;
/** Of the other side's calls that are being answered. */
const MAX_SERVED = 64;
/** Of a call or a fetch, and of what answers it. */
const NUMBER_BYTES = 4;

/** What a node does with what comes over its links. */
export interface LinkHandler {
  readonly onRaft: (message: Message) => void;
  readonly onStatus: (status: StatusFrame) => void;
  /** Rejections go back to the caller as they are (CallFailed). */
  readonly onCall: (method: string, args: unknown) => Promise<unknown>;
  readonly onFetch: (first: number, last: number) => Promise<readonly Entry[]>;
  /** Memory of its own for a payload. */
  readonly own: (payload: Uint8Array) => Uint8Array;
}

export class PeerLink {
  readonly #platform: Platform;
  readonly #conn: Conn;
  readonly #buffers: FrameBuffers;
  readonly #reader = new FrameReader();
  readonly #asked: PendingCalls;
  #served = 0;
  #handler: LinkHandler | null = null;
  /** Frames that came behind the hello. */
  #early: Frame[] = [];
  /** Monotonic. */
  heardMs: number;
  sentBytes = 0;
  receivedBytes = 0;
  /** That packing saved of what was sent. */
  savedBytes = 0;
  /** Set when frames to the other side are to be made smaller. */
  packer: Packer | null = null;
  /** The other side's clock as of its last status, and when that came: it gets both back. */
  readonly echo: { askedMs: number | null; heldSinceMs: number } = {
    askedMs: null,
    heldSinceMs: 0,
  };
  #isRefusing = false;
  /** Set when the other side refused us, or broke the protocol. */
  ended: Error | null = null;

  constructor(platform: Platform, conn: Conn, buffers: FrameBuffers) {
    this.#platform = platform;
    this.#conn = conn;
    this.#buffers = buffers;
    this.#asked = new PendingCalls(platform.clock);
    this.heardMs = platform.clock.mono();
  }

  get address(): string {
    return this.#conn.peer;
  }
  get queuedBytes(): number {
    return this.#conn.queuedBytes;
  }

  #send(kind: FrameKind, body: Uint8Array): void {
    const packed = kind === FrameKind.ENTRIES ? this.#pack(kind, body) : null;
    if (packed !== null) {
      this.#send(FrameKind.PACKED, packed);
      return;
    }
    this.sentBytes += body.length;
    this.#conn.write([frameHead(kind, body.length), body]);
  }

  #pack(kind: FrameKind, body: Uint8Array): Uint8Array | null {
    const packed = this.packer?.pack(kind, body) ?? null;
    if (packed !== null) this.savedBytes += body.length - packed.length;
    return packed;
  }

  sendHello(hello: Hello): void {
    this.#send(FrameKind.HELLO, encodePacked(hello));
  }

  /** Tells why, and ends the link. */
  refuse(refusal: Refusal): void {
    this.ended ??= new Error(refusal.message);
    this.#isRefusing = true;
    this.#send(FrameKind.REFUSE, encodePacked(refusal));
    this.#conn.end();
  }

  /** The other side's. Rejects with LinkRefused, MalformedBytes, or an Error when it closes. */
  async receiveHello(): Promise<Hello> {
    const cancel = this.#platform.clock.after(HELLO_MS, () => this.#conn.destroy());
    const frames: Frame[] = [];
    try {
      while (frames.length === 0) {
        const bytes = await this.#conn.read();
        if (bytes === null) throw new Error("The other side ended the connection");
        // What is behind the hello is kept for `run`: bodies are only lent.
        this.#reader.push(bytes, ({ kind, body }) => frames.push({ kind, body: body.slice() }));
      }
    } finally {
      cancel();
    }
    const [first, ...behind] = frames;
    if (first!.kind === FrameKind.REFUSE) throw new LinkRefused(refusalOf(first!.body));
    if (first!.kind !== FrameKind.HELLO) throw new MalformedBytes("a frame before the hello", 0);
    this.#early = behind;
    return helloOf(first!.body);
  }

  /** Reads until the link ends; what ended it is in `ended`. Never rejects. */
  async run(handler: LinkHandler): Promise<void> {
    this.#handler = handler;
    const take = (frame: Frame): void => this.#onFrame(frame);
    try {
      for (const frame of this.#early) this.#onFrame(frame);
      this.#early = [];
      while (this.ended === null) {
        const bytes = await this.#conn.read();
        if (bytes === null) break;
        this.receivedBytes += bytes.length;
        this.heardMs = this.#platform.clock.mono();
        this.#reader.push(bytes, take);
      }
    } catch (error) {
      this.ended ??= error as Error;
    }
    this.close();
    this.#asked.end();
  }

  close(): void {
    // Closing now would drop the reason, which is still to be sent; the connection ends by itself.
    if (!this.#isRefusing) this.#conn.destroy();
  }

  #onFrame({ kind, body }: Frame): void {
    const handler = this.#handler!;
    switch (kind) {
      case FrameKind.RAFT: {
        const message = decodeMessage(body, handler.own);
        const nonsense = nonsenseIn(message);
        if (nonsense !== null) throw new Nonsense(nonsense);
        handler.onRaft(message);
        return;
      }
      case FrameKind.STATUS:
        this.#onStatus(statusOf(body));
        return;
      case FrameKind.CALL: {
        const { method, args } = callOf(body.subarray(NUMBER_BYTES));
        this.#serve(numberOf(body), () => this.#answerCall(method, args));
        return;
      }
      case FrameKind.FETCH:
        this.#serve(numberOf(body), this.#fetched(body));
        return;
      case FrameKind.ANSWER:
        this.#answered(body);
        return;
      case FrameKind.ENTRIES:
        this.#asked.settle("entries", numberOf(body), entriesOf(body, handler.own), null);
        return;
      case FrameKind.PACKED:
        this.#onFrame(unpack(this.#platform.compress, body));
        return;
      case FrameKind.REFUSE:
        this.ended = new LinkRefused(refusalOf(body));
        return;
      case FrameKind.HELLO:
        throw new MalformedBytes("a second hello", 0);
    }
  }

  #onStatus(status: StatusFrame): void {
    this.echo.askedMs = status.sentMs;
    this.echo.heldSinceMs = this.heardMs;
    this.#handler!.onStatus(status);
  }

  /** Answers beside whatever else comes. */
  #serve(number: number, work: () => Promise<{ kind: FrameKind; body: Uint8Array }>): void {
    if (this.#served >= MAX_SERVED) throw new MalformedBytes("too many calls at a time", 0);
    this.#served++;
    const answer = async (): Promise<void> => {
      try {
        const { kind, body } = await work();
        this.#send(kind, numbered(number, body));
      } catch (error) {
        this.#send(
          FrameKind.ANSWER,
          numbered(number, Uint8Array.of(1), encodePacked(toldFailure(error))),
        );
      } finally {
        this.#served--;
      }
    };
    // It has caught what there is to catch; writing to a closed connection does nothing.
    void answer();
  }

  async #answerCall(method: string, args: unknown): Promise<{ kind: FrameKind; body: Uint8Array }> {
    const result = (await this.#handler!.onCall(method, args)) ?? null;
    const body = concatBytes([Uint8Array.of(0), encodePacked(result)]);
    if (body.length + NUMBER_BYTES > FRAME_CAPS[FrameKind.ANSWER])
      throw new CallFailed("internal", "The answer is too large");
    return { kind: FrameKind.ANSWER, body };
  }

  #fetched(body: Uint8Array): () => Promise<{ kind: FrameKind; body: Uint8Array }> {
    const reader = new ByteReader(body, NUMBER_BYTES);
    const [first, last] = [reader.u64n("first"), reader.u64n("last")];
    reader.expectEnd("fetch");
    if (first < 1 || last < first || last > MAX_INDEX)
      throw new MalformedBytes(`a fetch from ${first} to ${last}`, 0);
    return async () => {
      const entries = await this.#handler!.onFetch(first, last);
      return {
        kind: FrameKind.ENTRIES,
        body: encodeMessage(message("MsgApp", { index: first - 1, entries })),
      };
    };
  }

  /** What is sent is a copy: payloads may change once this has returned. */
  sendRaft(m: Message): void {
    const out = new ByteWriter(this.#buffers.take(FRAME_HEAD_BYTES + messageBytes(m)));
    writeMessage(out.zeros(FRAME_HEAD_BYTES), m);
    const frame = out.finish();
    const bodyBytes = frame.length - FRAME_HEAD_BYTES;
    const packed = this.#pack(FrameKind.RAFT, frame.subarray(FRAME_HEAD_BYTES));
    if (packed !== null) {
      this.#buffers.give(frame);
      this.#send(FrameKind.PACKED, packed);
      return;
    }
    writeFrameHead(frame, FrameKind.RAFT, bodyBytes);
    this.sentBytes += bodyBytes;
    this.#conn.write([frame], () => this.#buffers.give(frame));
  }

  sendStatus(status: StatusFrame): void {
    this.#send(FrameKind.STATUS, encodePacked(status));
  }

  /** Rejects with CallFailed: of the other side, or `unavailable` when the link ends or time is up. */
  call(method: string, args: unknown, timeoutMs: number): Promise<unknown> {
    return this.#ask("value", timeoutMs, (number) => {
      const body = numbered(number, encodePacked({ method, args }));
      if (body.length > FRAME_CAPS[FrameKind.CALL])
        throw new CallFailed("invalid", "The request is too large");
      this.#send(FrameKind.CALL, body);
    });
  }

  /** Committed entries, from `first` on up to `last` or as many as fit; rejects as `call`. */
  async entries(first: number, last: number, timeoutMs: number): Promise<readonly Entry[]> {
    const answer = await this.#ask("entries", timeoutMs, (number) => {
      const body = new Uint8Array(16);
      const view = new DataView(body.buffer);
      view.setBigUint64(0, BigInt(first), true);
      view.setBigUint64(8, BigInt(last), true);
      this.#send(FrameKind.FETCH, numbered(number, body));
    });
    const entries = answer as readonly Entry[];
    if (entries.some(({ index }, at) => index !== first + at || index > last))
      throw new CallFailed("unavailable", "That node sent other entries than it was asked for");
    return entries;
  }

  #ask(kind: AnswerKind, timeoutMs: number, send: (number: number) => void): Promise<unknown> {
    return this.#asked.ask(kind, this.ended === null, timeoutMs, send);
  }

  #answered(body: Uint8Array): void {
    const number = numberOf(body);
    const flag = body[NUMBER_BYTES]!;
    const answer = body.subarray(NUMBER_BYTES + 1);
    if (flag > 1) throw new MalformedBytes(`an answer of kind ${flag}`, NUMBER_BYTES);
    if (flag === 0) {
      this.#asked.settle("value", number, decodePacked(answer), null);
      return;
    }
    const { kind, message: text, next } = failureOf(answer);
    const error = new CallFailed(printable(kind, 64), printable(text, 4096), printable(next, 4096));
    this.#asked.settle(null, number, null, error);
  }
}

function numberOf(body: Uint8Array): number {
  if (body.length <= NUMBER_BYTES) throw new MalformedBytes("a frame without a number", 0);
  return readU32(body, 0);
}

function entriesOf(body: Uint8Array, own: (payload: Uint8Array) => Uint8Array): readonly Entry[] {
  const { index, entries, snapshot } = decodeMessage(body.subarray(NUMBER_BYTES), own);
  const nonsense =
    snapshot === null
      ? entriesTrouble(entries, { index, logTerm: 0, term: MAX_TERM })
      : "entries with a snapshot";
  if (nonsense !== null) throw new Nonsense(nonsense);
  return entries;
}

function toldFailure(error: unknown): { kind: string; message: string; next: string } {
  const {
    kind,
    message: text,
    next,
  } = error as { kind?: unknown; message: string; next?: unknown };
  return {
    kind: typeof kind === "string" ? kind : "internal",
    message: printable(String(text), 4096),
    next: typeof next === "string" ? printable(next, 4096) : "",
  };
}
