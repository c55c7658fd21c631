/** The shape of a checkpoint's settings part (node-state.ts): of this disk, or in a leader's snapshot. */
import { z } from "zod";
import type { SourceValues } from "../mysql/source-values.ts";
import { MAX_MEMBERS } from "../peers/protocol.ts";
import { index, raftId, whole } from "../peers/shapes.ts";
import type { ConfState } from "../raft/types.ts";
import type { AccountSettings, RetentionSettings, SourceSettings } from "./command.ts";
import {
  accountSettings,
  placement,
  retention,
  sourceSettings,
  sourceValues,
} from "./command-shapes.ts";
import type { Member } from "./members.ts";
import type { FirstState } from "./node-state.ts";
import type { PlacementSettings } from "./policies.ts";
import { confState, member, running, uuid } from "./shapes.ts";

export interface SavedState {
  readonly source: SourceSettings | null;
  readonly syncer: "running" | "stopped";
  readonly stoppedBecause: string | null;
  readonly metClusters: readonly string[];
  readonly accounts: readonly (readonly [string, AccountSettings])[];
  readonly conf: ConfState;
  readonly retention: RetentionSettings | null;
  readonly placement: PlacementSettings | null;
  /** Of format 3 on. */
  readonly sourceValues?: SourceValues | undefined;
  readonly heartbeatMs: number;
  readonly first: FirstState;
  readonly members: readonly Member[];
  readonly highestId: number;
  readonly formatVersion: number;
  readonly entryHash: number;
  readonly startsAt: number;
}

const members = z.array(member).max(4 * MAX_MEMBERS);

export const savedState: z.ZodType<SavedState> = z.object({
  source: sourceSettings.nullable(),
  syncer: running,
  stoppedBecause: z.string().max(8192).nullable(),
  metClusters: z.array(uuid).max(64),
  accounts: z.array(z.tuple([z.string().max(64), accountSettings])),
  conf: confState,
  retention: retention.nullable(),
  placement: placement.nullable(),
  sourceValues: sourceValues.optional(),
  heartbeatMs: z.number().min(0),
  first: z.object({ conf: confState, members }),
  members,
  highestId: raftId,
  formatVersion: whole(2 ** 16),
  entryHash: whole(2 ** 32 - 1),
  startsAt: index,
});
