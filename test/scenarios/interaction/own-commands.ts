/**
 * What a directive can do that etcd raft's files do not know:
 *
 *   read-index 1 r1      asks for a linearizable read; the answer is in a Ready's ReadStates
 *   step-down 1          a leader gives up, of its own accord
 *   entries-arrived 1    the entries that the storage had answered PENDING were read
 *   restart 1            a power cut: what is not durable is gone, with what the threads had to do
 */
import { firstNumber } from "../args.ts";
import { BadFile, type Directive } from "../datadriven.ts";
import { Refused } from "../refused.ts";
import type { Environment } from "./environment.ts";
import type { ScenarioNode } from "./scenario-node.ts";

function only(env: Environment, directive: Directive): ScenarioNode {
  if (directive.args.length !== 1) throw new BadFile(`${directive.command} takes one node`);
  return env.node(firstNumber(directive));
}

export const OWN_COMMANDS: Readonly<Record<string, (env: Environment, d: Directive) => void>> = {
  "read-index": (env, directive) => {
    const [, context, ...more] = directive.args;
    if (context === undefined || context.values.length > 0 || more.length > 0) {
      throw new BadFile("read-index takes a node and one word");
    }
    env.node(firstNumber(directive)).raw.readIndex(new TextEncoder().encode(context.key));
  },
  "step-down": (env, directive) => only(env, directive).raw.stepDown(),
  "entries-arrived": (env, directive) => {
    const node = only(env, directive);
    if (!node.storage.load()) throw new Refused("no entries were asked for");
    node.raw.entriesArrived();
  },
  restart: (env, directive) => env.restart(only(env, directive)),
};
