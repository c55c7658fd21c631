/**
 * What only the leader may do, asked of any node: done here when this node leads, else sent to the
 * node that does. Between leaders it waits a little; what may have happened is never done twice. Who
 * lost its quorum in the middle cannot end what it has begun, and must not leave its caller waiting.
 */
import { z } from "zod";
import { MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import { shaped } from "../peers/shapes.ts";
import { type Clock, delay } from "../platform/clock.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { NodeCore } from "./node-core.ts";
import { OPERATION_ANSWERS, OPERATION_ARGS } from "./operation-shapes.ts";
import { OperationError } from "./operations.ts";

const CALL_MS = 30_000;
const LOOK_MS = 100;
/** This node was asked and does not lead: nothing was done. */
const NOT_LEADING = "not-leading";
const KINDS: ReadonlySet<string> = new Set([
  "not-found",
  "conflict",
  "invalid",
  "unavailable",
  "no-quorum",
]);

const operationCall: z.ZodType<{ name: string; args?: unknown }> = z.object({
  name: z.string().max(64),
  args: z.unknown().optional(),
});

/** By name. One without a shape for its arguments is not taken of another node. */
export interface OperationShapes {
  readonly args: Readonly<Record<string, z.ZodType<readonly unknown[]>>>;
  readonly answers: Readonly<Record<string, z.ZodType>>;
}
const OPERATIONS: OperationShapes = { args: OPERATION_ARGS, answers: OPERATION_ANSWERS };

export interface Link {
  isConnected(raftId: number): boolean;
  call(raftId: number, method: string, args: unknown, timeoutMs: number): Promise<unknown>;
}

export class LeaderCalls {
  readonly #core: NodeCore;
  readonly #clock: Clock;
  readonly #link: Link | null;
  /** By name. */
  readonly #methods = new Map<string, (args: readonly unknown[]) => Promise<unknown>>();
  readonly #shapes: OperationShapes;

  constructor(
    core: NodeCore,
    clock: Clock,
    link: Link | null,
    shapes: OperationShapes = OPERATIONS,
  ) {
    this.#core = core;
    this.#clock = clock;
    this.#link = link;
    this.#shapes = shapes;
  }

  /** What comes as arguments is what `onLeader` was given; of another node, in the shape that is declared. */
  provide<A extends readonly unknown[]>(
    name: string,
    method: (...args: A) => Promise<unknown>,
  ): void {
    this.#methods.set(name, (args) => method(...(args as unknown as A)));
  }

  /** A call of another node. */
  async serve(given: unknown): Promise<unknown> {
    const { name, args } = operationCall.safeParse(given).data ?? { name: "" };
    const method = this.#methods.get(name);
    const shape = this.#shapes.args[name];
    if (method === undefined || shape === undefined)
      throw new CallFailed(
        "invalid",
        `This node knows no operation "${printable(name, 64)}": use one version of binraft`,
      );
    if (!this.#leads) throw new CallFailed(NOT_LEADING, "This node does not lead");
    return this.#here(method, argumentsOf(shape, args, name));
  }

  get #leads(): boolean {
    return this.#core.driver.leads && this.#core.driver.damaged === null;
  }

  get #patienceMs(): number {
    return 4 * this.#core.driver.consensus.electionMs + 1_000;
  }

  /** Rejects with OperationError. */
  async onLeader(name: string, ...args: readonly unknown[]): Promise<unknown> {
    const { consensus } = this.#core.driver;
    const deadline = this.#clock.mono() + this.#patienceMs;
    for (;;) {
      const { leader } = consensus.node;
      const there = leader !== consensus.node.raft.id && this.#link?.isConnected(leader) === true;
      try {
        if (this.#leads) return await this.#here(this.#methods.get(name)!, args);
        if (there) {
          const answer = await this.#link!.call(leader, "operation", { name, args }, CALL_MS);
          const shape = this.#shapes.answers[name];
          return shape === undefined ? answer : shaped(shape, answer, `the answer to ${name}`);
        }
      } catch (error) {
        if (!(error instanceof CallFailed) || error.kind !== NOT_LEADING)
          throw operationError(error);
      }
      if (this.#clock.mono() > deadline) throw noQuorum(this.#core);
      await delay(this.#clock, LOOK_MS);
    }
  }

  async #here(
    method: (args: readonly unknown[]) => Promise<unknown>,
    args: readonly unknown[],
  ): Promise<unknown> {
    const done = new AbortController();
    try {
      const work = method(args).finally(() => done.abort());
      return await Promise.race([work, this.#notLeading(done.signal)]);
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
      throw new OperationError(
        "unavailable",
        "Leadership changed meanwhile: whether it was done is not known here",
        "look, and ask again if it was not",
      );
    }
  }

  /** Rejects once this node has not led for a while: handing over and coming back take less. */
  async #notLeading(signal: AbortSignal): Promise<never> {
    let ledMs = this.#clock.mono();
    while (!signal.aborted) {
      if (this.#leads) ledMs = this.#clock.mono();
      else if (this.#clock.mono() - ledMs > this.#patienceMs) throw new ProposalDropped();
      await delay(this.#clock, LOOK_MS, signal);
    }
    return new Promise(() => {});
  }
}

function argumentsOf(
  shape: z.ZodType<readonly unknown[]>,
  args: unknown,
  name: string,
): readonly unknown[] {
  const result = shape.safeParse(args);
  if (result.success) return result.data;
  throw new CallFailed("invalid", `What is asked of the leader makes no sense: ${name}`);
}

export function noQuorum(core: NodeCore): OperationError {
  const alone = core.driver.consensus.node.isOnlyVoter;
  if (alone || core.driver.damaged !== null)
    return new OperationError("unavailable", "This node does not lead: try again in a moment");
  return new OperationError(
    "no-quorum",
    "The cluster has no leader: less than a majority of the voters can hear each other",
    "binraft member list, on several nodes, shows who is not heard of",
  );
}

function operationError(error: unknown): Error {
  if (error instanceof MalformedBytes)
    return new OperationError(
      "unavailable",
      `The leader answered what makes no sense: ${error.message}`,
    );
  if (!(error instanceof CallFailed)) return error as Error;
  const kind = KINDS.has(error.kind) ? (error.kind as OperationError["kind"]) : "unavailable";
  return new OperationError(kind, error.message, error.next);
}
