/** The shapes of the values that links themselves read: hello, refusal, status, call, failure. */
import { z } from "zod";
import { MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { decodePacked } from "../base/packed.ts";
import {
  type Hello,
  MAX_INDEX,
  MAX_RAFT_ID,
  MAX_TERM,
  type MetCluster,
  type Refusal,
} from "./protocol.ts";

/** Without control characters and halves of pairs: it ends up in log lines and on terminals. */
export function plainText(most: number): z.ZodType<string> {
  return z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]*$/u);
}

export function whole(most: number): z.ZodType<number> {
  return z.number().int().min(0).max(most);
}

/** Of a clock, with a fraction. */
export const milliseconds: z.ZodType<number> = z
  .number()
  .min(0)
  .max(2 ** 48);
/** Wall clock; null when nobody knows. */
export const foundedMs: z.ZodType<number | null> = whole(2 ** 48).nullable();
/** Names of disks, clusters, processes; empty before there is one. */
export const hexName: z.ZodType<string> = z.string().regex(/^[0-9A-Za-z-]{0,64}$/);

export const term: z.ZodType<number> = whole(MAX_TERM);
export const index: z.ZodType<number> = whole(MAX_INDEX);
export const raftId: z.ZodType<number> = whole(MAX_RAFT_ID);
/** Starts of a disk, snapshots that it took in. */
export const times: z.ZodType<number> = whole(2 ** 32);

const hello: z.ZodType<Hello> = z.object({
  protocol: whole(127),
  clusterId: hexName,
  foundedMs,
  raftId,
  diskUuid: hexName.refine((uuid) => uuid !== ""),
  name: plainText(255),
  version: plainText(64),
  boots: times,
  nonce: hexName.refine((nonce) => nonce !== ""),
  term,
  vote: raftId,
  lastTerm: term,
  lastIndex: index,
  installs: times,
  heartbeatMs: whole(3_600_000),
  electionMs: whole(3_600_000),
  region: plainText(64).optional(),
  unpacks: z.array(plainText(32)).max(16).optional(),
});

const refusal: z.ZodType<{ code: Refusal["code"]; message: string; cluster?: unknown }> = z.object({
  code: z.enum([
    "other-cluster",
    "unknown",
    "removed",
    "other-disk",
    "clone",
    "reverted",
    "protocol",
  ]),
  message: z.string().max(8192),
  cluster: z.unknown().optional(),
});

const metCluster: z.ZodType<MetCluster> = z.object({
  clusterId: z.string().regex(/^[0-9a-f]{32}$/),
  foundedMs,
});

/** Around what cluster/shapes.ts reads. */
export interface StatusFrame {
  readonly sentMs: number;
  readonly echoMs?: number | undefined;
  readonly heldMs?: number | undefined;
  readonly report?: unknown;
}
const status: z.ZodType<StatusFrame> = z.object({
  sentMs: milliseconds,
  echoMs: milliseconds.optional(),
  heldMs: milliseconds.optional(),
  report: z.unknown().optional(),
});

export interface CallFrame {
  readonly method: string;
  readonly args?: unknown;
}
const call: z.ZodType<CallFrame> = z.object({
  method: z.string().regex(/^[a-zA-Z-]{1,64}$/),
  args: z.unknown().optional(),
});

export interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly next: string;
}
const failure: z.ZodType<Failure> = z.object({
  kind: z.string().max(64),
  message: z.string().max(64 * 1024),
  next: z.string().max(64 * 1024),
});

/** Throws MalformedBytes: with the place of what is wrong, and never with what stands there. */
export function shaped<T>(shape: z.ZodType<T>, value: unknown, what: string): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path.map(String).join(".") ?? "";
  throw new MalformedBytes(path === "" ? what : `${what}: ${path}`, 0);
}

export function helloOf(body: Uint8Array): Hello {
  return shaped(hello, decodePacked(body), "hello");
}

/** What it says of another cluster is looked at only when it makes sense. */
export function refusalOf(body: Uint8Array): Refusal {
  const { code, message: text, cluster } = shaped(refusal, decodePacked(body), "refusal");
  const message = printable(text, 1024);
  const met = metCluster.safeParse(cluster);
  return met.success ? { code, message, cluster: met.data } : { code, message };
}

export function statusOf(body: Uint8Array): StatusFrame {
  return shaped(status, decodePacked(body), "status");
}

export function callOf(body: Uint8Array): CallFrame {
  return shaped(call, decodePacked(body), "call");
}

export function failureOf(body: Uint8Array): Failure {
  return shaped(failure, decodePacked(body), "failure");
}
