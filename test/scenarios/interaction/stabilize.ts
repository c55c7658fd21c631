/** Lets nodes work until none of them has anything left to do. */
import type { Environment } from "./environment.ts";
import type { ScenarioNode } from "./scenario-node.ts";

interface Stage {
  readonly what: string;
  readonly isDue: (env: Environment, node: ScenarioNode) => boolean;
  readonly perform: (env: Environment, node: ScenarioNode) => void;
}

/** Each round does these in order, each for all nodes. */
const STAGES: readonly Stage[] = [
  {
    what: "handling Ready",
    isDue: (_, { raw }) => raw.hasReady(),
    perform: (env, node) => env.output.indented(() => env.processReady(node)),
  },
  {
    what: "receiving messages",
    isDue: (env, { id }) => env.hasMessages(id),
    perform: (env, { id }) => env.output.indented(() => env.deliver(null, [{ id, drop: false }])),
  },
  {
    what: "processing append thread",
    isDue: (_, { appendWork }) => appendWork.length > 0,
    perform: (env, node) => {
      while (node.appendWork.length > 0) {
        env.output.indented(() => env.processAppendThread(node));
      }
    },
  },
  {
    what: "processing apply thread",
    isDue: (_, { applyWork }) => applyWork.length > 0,
    perform: (env, node) => {
      while (node.applyWork.length > 0) {
        env.output.indented(() => env.processApplyThread(node));
      }
    },
  },
];
/** Far beyond any scenario: nodes that never come to rest fail instead of hanging. */
const MAX_ROUNDS = 10_000;

export function stabilize(env: Environment, nodes: readonly ScenarioNode[]): void {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let isDone = true;
    for (const { what, isDue, perform } of STAGES) {
      for (const node of nodes) {
        if (!isDue(env, node)) continue;
        env.output.write(`> ${node.id} ${what}\n`);
        perform(env, node);
        isDone = false;
      }
    }
    if (isDone) return;
  }
  throw new Error(`the nodes did not come to rest in ${MAX_ROUNDS} rounds`);
}
