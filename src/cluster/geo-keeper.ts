/**
 * What the leader does about places: windows and time-outs for the distances that are measured, itself in the
 * region of the source, and voters spread over regions (contract: policies.ts). Once a second it looks; what it
 * decides goes through the log or the same operations that operators have.
 *
 * Invariants
 * 1. Only a leader acts, and on what it measured or was told within the last seconds.
 * 2. A plan is applied by itself in mode `auto` only, when the same one was best for some looks.
 * 3. A voter that is away is left in its place for a while: coming back costs nothing, changing does.
 */
import type { Logger } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import type { HandOver } from "./hand-over.ts";
import { isVoter } from "./members.ts";
import type { Membership } from "./membership.ts";
import type { NodeCore } from "./node-core.ts";
import type { PeerWindows } from "./peer-windows.ts";
import type {
  GeoPolicies,
  LeaderPlacement,
  PlacementNode,
  PlacementPlan,
  PlacementSettings,
} from "./policies.ts";
import { hasHistory, isCaughtUp } from "./readiness.ts";
import type { RttMatrix } from "./rtt-matrix.ts";
import { timingOf } from "./timing.ts";
import { PLACEMENT_FORMAT } from "./version-gate.ts";

const LOOK_MS = 1_000;
/** So many looks in a row must have the same plan. */
const LOOKS = 5;

export interface GeoParts {
  readonly core: NodeCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policies: GeoPolicies;
  readonly settings: ClusterSettings;
  readonly membership: Membership;
  readonly handOver: HandOver;
  readonly connected: (raftId: number) => boolean;
  readonly matrix: () => RttMatrix;
  readonly windows: PeerWindows;
}

export class GeoKeeper implements Service {
  readonly #parts: GeoParts;
  readonly #placement: LeaderPlacement;
  /** Since when each is not heard of. */
  readonly #away = new Map<number, number>();
  #ledSinceMs: number | null = null;
  #wanted = { plan: "", looks: 0 };
  /** What was done last, and what failed; sentences. */
  last = "";

  constructor(parts: GeoParts) {
    this.#parts = parts;
    this.#placement = parts.policies.leaderPlacement(parts.settings.leaderCooldownMs);
  }

  get settings(): PlacementSettings {
    return this.#parts.core.state.settings.placement ?? this.#parts.settings.placement;
  }

  /** Null: nobody said where the source is, and nobody wants the leader anywhere. */
  get leaderRegion(): string | null {
    return this.settings.leaderRegion ?? this.#parts.core.state.settings.source?.region ?? null;
  }

  /** As the leader sees it: others do not know who has caught up. Null when nobody may vote. */
  plan(): PlacementPlan | null {
    const matrix = this.#parts.matrix();
    return this.#parts.policies.plan({
      nodes: this.#nodes(),
      voters: this.settings.voters,
      leaderRegion: this.leaderRegion,
      rttMs: (from, to) => matrix.betweenMs(from, to),
    });
  }

  async apply(plan: PlacementPlan): Promise<void> {
    await this.#parts.membership.arrange(plan.promote, plan.demote);
  }

  #nodes(): PlacementNode[] {
    const { core, connected, settings, clock } = this.#parts;
    const own = core.log.identity.raftId;
    return [...core.state.members.values()].map((member) => {
      const { id, name, region } = member;
      const voter = isVoter(core.state.conf, id);
      const awayMs = clock.mono() - (this.#away.get(id) ?? Number.POSITIVE_INFINITY);
      const here = id === own ? core.driver.consensus.mayLead : connected(id);
      // Of one that was never seen away, that is for less than no time.
      const back = voter && !here && awayMs < settings.replaceAfterMs;
      const eligible = here ? voter || (isCaughtUp(core, id) && hasHistory(core, member)) : back;
      return { id, name, region, voter, eligible };
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { core, clock, logger, windows } = this.#parts;
    while (!signal.aborted) {
      this.#noteAway();
      if (!core.driver.leads) this.#ledSinceMs = null;
      else {
        this.#ledSinceMs ??= clock.mono();
        windows.look(clock.mono());
        try {
          await this.#look();
        } catch (error) {
          // Leadership went meanwhile, or the operation was refused: the next look sees.
          this.last = (error as Error).message;
          logger.debug("Placement waits", { reason: this.last });
        }
      }
      await delay(clock, LOOK_MS, signal);
    }
  }

  #noteAway(): void {
    const { core, connected, clock } = this.#parts;
    const own = core.log.identity.raftId;
    for (const id of this.#away.keys()) if (!core.state.members.has(id)) this.#away.delete(id);
    for (const id of core.state.members.keys()) {
      if (id === own || connected(id)) this.#away.delete(id);
      else if (!this.#away.has(id)) this.#away.set(id, clock.mono());
    }
  }

  async #look(): Promise<void> {
    const { core, settings } = this.#parts;
    if (core.state.formatVersion < PLACEMENT_FORMAT) return;
    if (core.state.settings.placement === null)
      await core.driver.command({ type: "set-placement", placement: settings.placement });
    await this.#keepTiming();
    await this.#keepLeader();
    if (this.settings.mode !== "auto") return;
    await this.#keepVoters();
    await this.#removeLost();
  }

  async #keepTiming(): Promise<void> {
    const { core, policies, settings, matrix, logger } = this.#parts;
    const { conf, heartbeatMs } = core.state;
    const voters = new Set([...conf.voters, ...conf.votersOutgoing]);
    const slowest = matrix().slowest(voters);
    const current = timingOf(settings, heartbeatMs);
    const next = policies.timing(current, settings, slowest);
    if (next.heartbeatMs === current.heartbeatMs) return;
    await core.driver.command({ type: "set-timing", heartbeatMs: next.heartbeatMs });
    logger.info("Heartbeats and elections follow the distances", {
      rttMs: Math.round(slowest.smoothedMs),
      heartbeatMs: next.heartbeatMs,
      electionMs: next.electionMs,
    });
  }

  async #keepLeader(): Promise<void> {
    const { core, clock, connected, handOver, logger } = this.#parts;
    const { members, conf } = core.state;
    const own = core.log.identity.raftId;
    const matrix = this.#parts.matrix();
    const move = this.#placement.look({
      nowMs: clock.mono(),
      ownRegion: members.get(own)?.region ?? "",
      wantedRegion: this.leaderRegion,
      candidates: conf.voters
        .filter((id) => id !== own)
        .map((id) => ({
          id,
          region: members.get(id)?.region ?? "",
          ready: connected(id) && isCaughtUp(core, id),
        })),
      rttMs: (from, to) => matrix.betweenMs(from, to),
      leadsSinceMs: this.#ledSinceMs!,
    });
    if (move === null) return;
    this.#placement.moved(clock.mono());
    logger.info("The leader moves", { reason: move.reason, to: move.to });
    await handOver.transfer(String(move.to));
    this.last = move.reason;
  }

  async #keepVoters(): Promise<void> {
    const { logger, core } = this.#parts;
    const plan = this.plan();
    if (plan === null || !plan.worthIt || core.state.conf.votersOutgoing.length > 0) {
      this.#wanted = { plan: "", looks: 0 };
      return;
    }
    const name = plan.voters.join();
    this.#wanted = { plan: name, looks: name === this.#wanted.plan ? this.#wanted.looks + 1 : 1 };
    if (this.#wanted.looks < LOOKS) return;
    this.#wanted = { plan: "", looks: 0 };
    const { promote, demote } = plan;
    const reason = plan.reasons.join("; ");
    logger.info("The voters change", {
      reason,
      promote: promote.join(),
      demote: demote.join(),
    });
    await this.apply(plan);
    this.last = reason;
  }

  /** Who has no vote and was not heard of for very long is gone for good: its name gets free again. */
  async #removeLost(): Promise<void> {
    const { core, clock, settings, membership, logger } = this.#parts;
    const { removeAfterMs } = settings;
    if (removeAfterMs === 0) return;
    for (const [id, sinceMs] of this.#away) {
      const member = core.state.members.get(id);
      if (member === undefined || isVoter(core.state.conf, id)) continue;
      if (clock.mono() - sinceMs < removeAfterMs) continue;
      logger.warn("A member that was not heard of for too long is removed", {
        id,
        name: member.name,
      });
      await membership.remove(String(id));
      this.last = `"${member.name}" was not heard of for too long and was removed`;
    }
  }
}
