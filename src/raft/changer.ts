/**
 * From one configuration to the next (thesis §4.2, §4.3). Each call works on a copy and returns
 * it, or throws ConfChangeRefused and nothing has changed.
 */
import { assert } from "../base/assert.ts";
import type { ConfChangeStep } from "./conf-change.ts";
import { ConfChangeRefused } from "./errors.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { ascending } from "./quorum.ts";
import type { Config, Tracker } from "./tracker.ts";
import type { ConfState } from "./types.ts";

export interface Changed {
  readonly config: Config;
  readonly progress: Map<number, Progress>;
}

export interface ChangerOptions {
  readonly lastIndex: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
}

interface Draft {
  readonly incoming: Set<number>;
  readonly outgoing: Set<number>;
  readonly learners: Set<number>;
  readonly learnersNext: Set<number>;
  autoLeave: boolean;
  readonly progress: Map<number, Progress>;
}

export class Changer {
  readonly #tracker: Tracker;
  readonly #options: ChangerOptions;

  constructor(tracker: Tracker, options: ChangerOptions) {
    this.#tracker = tracker;
    this.#options = options;
  }

  /** At most one voter changes; learners freely. */
  simple(changes: readonly ConfChangeStep[]): Changed {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) {
      throw new ConfChangeRefused("can't apply simple config change in joint config");
    }
    const before = new Set(draft.incoming);
    this.#apply(draft, changes);
    const kept = [...draft.incoming].filter((id) => before.has(id)).length;
    if (before.size + draft.incoming.size - 2 * kept > 1) {
      throw new ConfChangeRefused("more than one voter changed without entering joint config");
    }
    return finish(draft);
  }

  enterJoint(autoLeave: boolean, changes: readonly ConfChangeStep[]): Changed {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) throw new ConfChangeRefused("config is already joint");
    if (draft.incoming.size === 0) {
      throw new ConfChangeRefused("can't make a zero-voter config joint");
    }
    for (const id of draft.incoming) draft.outgoing.add(id);
    this.#apply(draft, changes);
    draft.autoLeave = autoLeave;
    return finish(draft);
  }

  leaveJoint(): Changed {
    const draft = this.#draft();
    if (draft.outgoing.size === 0) throw new ConfChangeRefused("can't leave a non-joint config");
    for (const id of draft.learnersNext) {
      draft.learners.add(id);
      draft.progress.get(id)!.learner = true;
    }
    draft.learnersNext.clear();
    for (const id of draft.outgoing) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
    }
    draft.outgoing.clear();
    draft.autoLeave = false;
    return finish(draft);
  }

  /** The configuration of a snapshot, on an empty tracker. */
  restore(conf: ConfState): Changed {
    const draft: Draft = {
      incoming: new Set(conf.voters),
      outgoing: new Set(conf.votersOutgoing),
      learners: new Set(conf.learners),
      learnersNext: new Set(conf.learnersNext),
      autoLeave: conf.autoLeave,
      progress: new Map(),
    };
    for (const id of [...draft.incoming, ...draft.outgoing, ...draft.learnersNext]) {
      if (!draft.progress.has(id)) draft.progress.set(id, this.#newProgress(false));
    }
    for (const id of draft.learners) draft.progress.set(id, this.#newProgress(true));
    return finish(draft);
  }

  #draft(): Draft {
    const { config, progress } = this.#tracker;
    return {
      incoming: new Set(config.voters.incoming),
      outgoing: new Set(config.voters.outgoing),
      learners: new Set(config.learners),
      learnersNext: new Set(config.learnersNext),
      autoLeave: config.autoLeave,
      progress: new Map([...progress].map(([id, one]) => [id, one.clone()])),
    };
  }

  #apply(draft: Draft, changes: readonly ConfChangeStep[]): void {
    for (const { type, id } of changes) {
      if (id === 0) continue;
      if (type === "add-node") this.#makeVoter(draft, id);
      else if (type === "add-learner") this.#makeLearner(draft, id);
      else if (type === "remove-node") remove(draft, id);
    }
    if (draft.incoming.size === 0) throw new ConfChangeRefused("removed all voters");
  }

  #makeVoter(draft: Draft, id: number): void {
    const progress = draft.progress.get(id);
    if (progress === undefined) draft.progress.set(id, this.#newProgress(false));
    else progress.learner = false;
    draft.learners.delete(id);
    draft.learnersNext.delete(id);
    draft.incoming.add(id);
  }

  /** A voter of the outgoing half stays one until that is left: it still votes there. */
  #makeLearner(draft: Draft, id: number): void {
    const progress = draft.progress.get(id) ?? this.#newProgress(true);
    if (draft.learners.has(id)) return;
    remove(draft, id);
    draft.progress.set(id, progress);
    if (draft.outgoing.has(id)) {
      draft.learnersNext.add(id);
    } else {
      progress.learner = true;
      draft.learners.add(id);
    }
  }

  /** A new peer counts as heard of, or a check of the quorum could depose us before its first answer. */
  #newProgress(learner: boolean): Progress {
    const { lastIndex, maxInflightMessages, maxInflightBytes } = this.#options;
    return new Progress({
      next: Math.max(lastIndex, 1),
      inflights: new Inflights(maxInflightMessages, maxInflightBytes),
      learner,
      recentActive: true,
    });
  }
}

function remove(draft: Draft, id: number): void {
  if (!draft.progress.has(id)) return;
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  // In the outgoing half it still votes, so it must still be fed.
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function finish(draft: Draft): Changed {
  const { incoming, outgoing, learners, learnersNext, progress } = draft;
  for (const id of [...incoming, ...outgoing, ...learners, ...learnersNext]) {
    assert(progress.has(id), `${id} has a progress`);
  }
  for (const id of learnersNext) {
    assert(outgoing.has(id) && !progress.get(id)!.learner, `${id} is a learner only afterwards`);
  }
  for (const id of learners) {
    assert(!incoming.has(id) && !outgoing.has(id), `${id} learns and does not vote`);
    assert(progress.get(id)!.learner, `${id} is fed as a learner`);
  }
  assert(outgoing.size > 0 || (learnersNext.size === 0 && !draft.autoLeave), "not joint, no rest");
  const config: Config = {
    voters: { incoming: ascending(incoming), outgoing: ascending(outgoing) },
    autoLeave: draft.autoLeave,
    learners: ascending(learners),
    learnersNext: ascending(learnersNext),
  };
  return { config, progress };
}
