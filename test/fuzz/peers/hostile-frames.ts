/** Frames that are well formed and mean something odd: of each kind, biased to where numbers and texts end. */
import { Packr } from "msgpackr/pack";
import type { SeededRandom } from "../../../runtime/memory/random.ts";
import { encodeText } from "../../../src/base/bytes.ts";
import { OPERATION_ARGS } from "../../../src/cluster/operation-shapes.ts";
import { numbered } from "../../../src/peers/frames.ts";
import { encodeMessage } from "../../../src/peers/message-codec.ts";
import { FrameKind } from "../../../src/peers/protocol.ts";
import { encodeConfChange } from "../../../src/raft/conf-change.ts";
import { type Entry, type Message, type MessageType, message } from "../../../src/raft/types.ts";
import { ALL_KINDS } from "./kinds.ts";

/** Without the care of ours: what is no number is one here. */
const packr = new Packr({ useRecords: false, moreTypes: false });
export const packed = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value));

/** What the liar knows of the node to which he speaks. */
export interface Target {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly lastIndex: number;
  readonly snapshot: Uint8Array;
}

export interface HostileFrame {
  /** "RAFT MsgSnap", "CALL join": what is counted. */
  readonly what: string;
  readonly kind: FrameKind;
  readonly body: Uint8Array;
}

export class HostileFrames {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#random.below(values.length)]!;
  }
  #often(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  /** For the fixed layout: whole, and not below 0. */
  #u64(near: number): number {
    return this.#often(50)
      ? Math.max(0, near + this.#random.below(5) - 2)
      : this.#one([
          0,
          1,
          2 ** 20,
          2 ** 31,
          2 ** 32 - 1,
          2 ** 32,
          2 ** 40,
          2 ** 48,
          2 ** 48 + 1,
          2 ** 53 - 1,
        ]);
  }

  /** Any value where another one is expected. */
  odd(): unknown {
    return this.#one<unknown>([
      null,
      undefined,
      true,
      0,
      1,
      -1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 31,
      2 ** 32,
      2 ** 53 - 1,
      2 ** 53,
      1e300,
      2n ** 63n,
      "",
      "\0",
      "\u001b[2J\r\n",
      "__proto__",
      "x".repeat(70_000),
      "\u{1f4a3}".repeat(300),
      [],
      new Array(10_000).fill(0),
      {},
      { toString: null, constructor: { prototype: 1 } },
      Uint8Array.of(0xff, 0, 1),
      nested(40),
    ]);
  }

  #entries(index: number, term: number): Entry[] {
    const count = this.#one([0, 0, 1, 2, 30]);
    return Array.from({ length: count }, (_, i) => ({
      index: index + 1 + i,
      term: this.#often(70) ? term : this.#u64(term),
      type: this.#one([0, 0, 1, 2] as const),
      data: this.#payload(),
    }));
  }

  #payload(): Uint8Array {
    const change = encodeConfChange({
      transition: this.#one(["auto", "implicit", "explicit"] as const),
      changes: [
        {
          type: this.#one(["add-node", "remove-node", "add-learner", "update-node"] as const),
          id: this.#u64(2),
        },
      ],
      context: this.#often(50) ? packed({ member: this.odd() }) : new Uint8Array(),
    });
    const command = (value: unknown): Uint8Array =>
      Uint8Array.of(2, 2, ...packed(value).slice(0, 2000));
    return this.#one([
      new Uint8Array(),
      Uint8Array.of(0),
      Uint8Array.of(1, 1, 1),
      Uint8Array.of(2),
      Uint8Array.of(2, 1, 0x7b),
      Uint8Array.of(9, 9),
      change,
      command(this.odd()),
      command({
        type: this.#one(["announce", "purge", "set-source", "start"]),
        id: 1,
        purged: "x",
      }),
    ]);
  }

  /** One that a member could send, of which a field or two are something else. */
  raft(type: MessageType, target: Target): Message {
    let m = this.#coherent(type, target);
    for (let spoils = this.#one([0, 1, 1, 2]); spoils > 0; spoils--)
      m = this.#spoiltMessage(m, target);
    return m;
  }

  #coherent(type: MessageType, { from, to, term, lastIndex, snapshot }: Target): Message {
    const inTerm = term + this.#random.below(4);
    const index = Math.max(1, lastIndex - this.#random.below(3));
    const commit = Math.min(lastIndex, index);
    const asks = type === "MsgReadIndex";
    const conf = {
      voters: [1, 2, 3],
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    const hasContext = asks || type === "MsgReadIndexResp" || type.startsWith("MsgHeartbeat");
    return message(type, {
      from,
      to,
      term: asks ? 0 : inTerm,
      ...(type === "MsgApp" || type.endsWith("Vote")
        ? { index, logTerm: Math.min(term, inTerm) }
        : {}),
      ...(type === "MsgAppResp" || type === "MsgReadIndexResp" ? { index } : {}),
      commit,
      reject:
        type.endsWith("Resp") &&
        (type.includes("Vote") || type === "MsgAppResp") &&
        this.#often(30),
      context: hasContext ? new Uint8Array(16).fill(7) : new Uint8Array(),
      entries: type === "MsgApp" ? this.#entries(index, inTerm) : [],
      snapshot:
        type === "MsgSnap" ? { index: lastIndex + 5, term: inTerm, conf, data: snapshot } : null,
    });
  }

  #spoiltMessage(m: Message, { term, lastIndex, snapshot }: Target): Message {
    const ids = (): number[] => Array.from({ length: this.#one([0, 1, 3]) }, () => this.#u64(2));
    const conf = (): NonNullable<Message["snapshot"]>["conf"] => ({
      voters: this.#often(60) ? [1, 2, 3] : ids(),
      learners: this.#often(60) ? [] : ids(),
      votersOutgoing: this.#often(70) ? [] : ids(),
      learnersNext: this.#often(80) ? [] : ids(),
      autoLeave: this.#often(20),
    });
    const data = (): Uint8Array =>
      this.#one([new Uint8Array(), encodeText("{}"), snapshot, packed(this.odd())]);
    const spoil: readonly (() => Partial<Message>)[] = [
      () => ({ from: this.#u64(2) }),
      () => ({ to: this.#u64(2) }),
      () => ({ term: this.#u64(term) }),
      () => ({ logTerm: this.#u64(term) }),
      () => ({ index: this.#u64(lastIndex) }),
      () => ({ commit: this.#u64(lastIndex) }),
      () => ({ vote: this.#u64(1) }),
      () => ({ rejectHint: this.#u64(lastIndex) }),
      () => ({ priority: this.#u64(0) }),
      () => ({ known: { index: this.#u64(lastIndex), term: this.#u64(term) } }),
      () => ({ reject: !m.reject }),
      () => ({ context: this.#one([new Uint8Array(), Uint8Array.of(0x54), new Uint8Array(256)]) }),
      () => ({ entries: this.#entries(m.index, term) }),
      () => ({
        snapshot: this.#often(50)
          ? null
          : { index: this.#u64(lastIndex), term: this.#u64(term), conf: conf(), data: data() },
      }),
    ];
    return { ...m, ...this.#one(spoil)() };
  }

  /** A value of that shape of which one key is something else. */
  #spoilt(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return { ...value, [this.#one(Object.keys(value))]: this.odd() };
  }

  #announcement(): unknown {
    const right = {
      diskUuid: "5".repeat(32),
      name: "liar",
      region: "iad",
      peer: "10.9.9.9:4306",
      mysql: "10.9.9.9:3307",
      admin: "",
      version: "1",
      formatVersion: 2,
    };
    // One key at least is of another type, so none of them may come to be a member.
    return {
      ...this.#spoilt(right),
      [this.#one(["name", "peer", "diskUuid"])]: this.#one([7, null, []]),
    };
  }

  #call(method: string): unknown {
    const announcement = this.#announcement();
    switch (method) {
      case "join":
        return { announcement, history: this.#one(["all", "from-now", this.odd()]) };
      case "introduce":
        return { fresh: this.#spoilt({ announcement, expect: 3, sees: [], sinceMs: 1 }) };
      case "invite":
        return this.#spoilt({ address: "10.9.9.9:4306" });
      case "head":
        return this.#spoilt({ startsAt: this.#u64(1), offset: this.#u64(0) });
      case "vouch":
        return this.#spoilt({ raftId: 9, diskUuid: "5".repeat(32) });
      case "operation":
        return this.#spoilt({
          name: this.#one([...Object.keys(OPERATION_ARGS), "__proto__", "constructor"]),
          args: Array.from({ length: this.#random.below(3) }, () => this.odd()),
        });
      default:
        return this.odd();
    }
  }

  #status(): unknown {
    const report = {
      term: this.#u64(1),
      vote: 1,
      lastTerm: this.#u64(1),
      lastIndex: this.#u64(9),
      installs: 0,
      applied: this.#u64(9),
      full: true,
      keptFrom: this.#u64(9),
      neededFrom: this.#u64(9),
      hash: { index: this.#u64(9), hash: 1 },
      rtts: [[1, 2, 3]],
    };
    const whole = { sentMs: 1, echoMs: this.#u64(1), heldMs: this.#u64(1) };
    return this.#often(50)
      ? { ...whole, report: this.#spoilt(report) }
      : this.#spoilt({ ...whole, report });
  }

  next(target: Target): HostileFrame {
    const what = this.#one(ALL_KINDS);
    const [name, detail = ""] = what.split(" ");
    const kind = FrameKind[name as keyof typeof FrameKind];
    return { what, kind, body: this.#body(name!, detail, target) };
  }

  #body(name: string, detail: string, target: Target): Uint8Array {
    const number = this.#u64(1) % 2 ** 32;
    switch (name) {
      case "RAFT":
        return encodeMessage(this.raft(detail as MessageType, target));
      case "CALL": {
        const call = { method: detail, args: this.#call(detail) };
        return numbered(number, packed(this.#often(95) ? call : this.#spoilt(call)));
      }
      case "REFUSE":
        return packed(
          this.#spoilt({
            code: this.#one(["removed", "clone", "reverted", "other-disk", "unknown"]),
            message: "You were removed",
            cluster: this.odd(),
          }),
        );
      case "STATUS":
        return packed(this.#status());
      case "ANSWER":
        return numbered(number, Uint8Array.of(this.#one([0, 1, 2, 255])), packed(this.odd()));
      case "FETCH": {
        const body = new Uint8Array(16);
        const view = new DataView(body.buffer);
        view.setBigUint64(0, this.#often(90) ? BigInt(this.#u64(1)) : 2n ** 64n - 1n, true);
        view.setBigUint64(8, BigInt(this.#u64(5)), true);
        return numbered(number, body);
      }
      case "ENTRIES":
        return numbered(number, encodeMessage(this.raft("MsgApp", target)));
      case "PACKED":
        return Uint8Array.of(
          this.#one([0, 1, 2, 3]),
          this.#one([1, 4, 8, 9, 255]),
          ...this.#one([
            [0, 0, 0, 0],
            [255, 255, 255, 255],
            [0, 0, 0, 4],
          ]),
          1,
          2,
          3,
        );
      default:
        return packed(this.odd());
    }
  }
}

function nested(depth: number): unknown {
  let value: unknown = null;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}
