/** The nodes of an interaction, the messages between them, and how one step of each is done. */
import { APPEND_THREAD, APPLY_THREAD, type Message, type Ready } from "../../../src/raft/types.ts";
import { BadFile } from "../datadriven.ts";
import { describeMessage, describeMessages, describeReady } from "../format.ts";
import { refusal } from "../refused.ts";
import { Output } from "./output.ts";
import type { ScenarioNode } from "./scenario-node.ts";

export interface Recipient {
  readonly id: number;
  /** Its messages are lost instead. */
  readonly drop: boolean;
}

export class Environment {
  readonly output: Output = new Output();
  readonly nodes: ScenarioNode[] = [];
  /** On their way, in the order in which they were sent. */
  messages: Message[] = [];

  node(id: number): ScenarioNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new BadFile(`there is no node ${id}`);
    return node;
  }

  /** What a node says to itself ends with it; what others sent is still on its way. */
  restart(node: ScenarioNode): void {
    this.messages = this.messages.filter((one) => one.to !== node.id || !isLocal(one));
    node.restart();
  }

  processReady(node: ScenarioNode): void {
    const { asyncStorageWrites } = node.config;
    const ready = node.raw.ready();
    this.output.write(describeReady(ready));
    if (!asyncStorageWrites) {
      node.append(ready.hardState, ready.entries, ready.snapshot);
      node.apply(ready.committedEntries);
    }
    this.#route(node, ready);
    if (!asyncStorageWrites) node.raw.advance(ready);
  }

  #route(node: ScenarioNode, ready: Ready): void {
    for (const message of ready.messages) {
      const { to, type } = message;
      if (to !== APPEND_THREAD && to !== APPLY_THREAD) this.messages.push(message);
      else if (!node.config.asyncStorageWrites) throw new Error(`${type} in synchronous mode`);
      else if (type === "MsgStorageAppend") node.appendWork.push(message);
      else if (type === "MsgStorageApply") node.applyWork.push(message);
      else throw new Error(`${type} for a storage thread`);
    }
  }

  /** Does the oldest piece of work of the thread that appends to the log. */
  processAppendThread(node: ScenarioNode): void {
    this.#processThread(node.appendWork, "append", ({ term, vote, commit, entries, snapshot }) => {
      // The message holds no hard state when that has not changed.
      const isUnchanged = term === 0 && vote === 0 && commit === 0;
      node.append(isUnchanged ? null : { term, vote, commit }, entries, snapshot);
    });
  }

  /** Does the oldest piece of work of the thread that applies entries. */
  processApplyThread(node: ScenarioNode): void {
    this.#processThread(node.applyWork, "apply", ({ entries }) => node.apply(entries));
  }

  #processThread(work: Message[], name: string, perform: (message: Message) => void): void {
    const message = work.shift();
    if (message === undefined) {
      this.output.write(`no ${name} work to perform`);
      return;
    }
    this.output.write(`Processing:\n${describeMessage({ ...message, responses: [] })}\n`);
    perform(message);
    this.output.write(`Responses:\n${describeMessages(message.responses)}`);
    this.messages.push(...message.responses);
  }

  /** Whether something is on its way to the node. */
  hasMessages(id: number): boolean {
    return this.messages.some(({ to }) => to === id);
  }

  /** Returns how many were delivered or dropped; `type` null takes all types. */
  deliver(type: string | null, recipients: readonly Recipient[]): number {
    let count = 0;
    for (const { id, drop } of recipients) {
      const isTaken = (message: Message): boolean =>
        message.to === id &&
        (type === null || message.type === type) &&
        !(drop && isLocal(message));
      // Taken out first: what the node answers to itself waits for the next delivery.
      const taken = this.messages.filter(isTaken);
      this.messages = this.messages.filter((message) => !isTaken(message));
      for (const message of taken) this.#deliverOne(message, drop);
      count += taken.length;
    }
    return count;
  }

  #deliverOne(message: Message, drop: boolean): void {
    this.output.write(`${drop ? "dropped: " : ""}${describeMessage(message)}\n`);
    if (drop) return;
    const refused = refusal(() => this.node(message.to).raw.step(message));
    if (refused !== null) this.output.write(`${refused}\n`);
  }
}

/** Of a node to itself or of its storage: no network is in between that could lose it. */
function isLocal({ from, to }: Message): boolean {
  const threads = [APPEND_THREAD, APPLY_THREAD];
  return from === to || threads.includes(from) || threads.includes(to);
}
