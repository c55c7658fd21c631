/** What only the leader can do, or say: asked of any node, done there. */
import type { SourceCheck } from "../syncer/host.ts";
import type { AccountSettings, RetentionSettings } from "./command.ts";
import type { LeaderCalls } from "./leader-calls.ts";
import type { MemberStatus, PlacementStatus } from "./operations.ts";
import type { PlacementSettings } from "./policies.ts";

/** What each does: operations.ts. */
export abstract class LeaderWrites {
  protected abstract readonly leader: LeaderCalls;
  /** As this node knows it, once it has applied what made it. */
  protected abstract member(id: unknown): Promise<MemberStatus>;

  async purge(firstKept: string, dryRun: boolean): Promise<readonly string[]> {
    return (await this.leader.onLeader("purge", firstKept, dryRun)) as string[];
  }

  async startSyncer(): Promise<void> {
    await this.leader.onLeader("startSyncer");
  }
  async stopSyncer(): Promise<void> {
    await this.leader.onLeader("stopSyncer");
  }
  async checkSource(): Promise<readonly SourceCheck[]> {
    return (await this.leader.onLeader("checkSource")) as SourceCheck[];
  }
  async acceptGap(gtids: string, confirm: string): Promise<void> {
    await this.leader.onLeader("acceptGap", gtids, confirm);
  }
  async acceptUnproved(confirm: string): Promise<void> {
    await this.leader.onLeader("acceptUnproved", confirm);
  }
  async newTimeline(confirm: string): Promise<void> {
    await this.leader.onLeader("newTimeline", confirm);
  }

  async setAccount(name: string, account: AccountSettings): Promise<void> {
    await this.leader.onLeader("setAccount", name, account);
  }
  async removeAccount(name: string): Promise<void> {
    await this.leader.onLeader("removeAccount", name);
  }

  async setRetention(retention: RetentionSettings): Promise<void> {
    await this.leader.onLeader("setRetention", retention);
  }

  async placement(): Promise<PlacementStatus> {
    return (await this.leader.onLeader("placement")) as PlacementStatus;
  }
  async setPlacement(change: Partial<PlacementSettings>): Promise<PlacementStatus> {
    return (await this.leader.onLeader("setPlacement", change)) as PlacementStatus;
  }
  async applyPlacement(): Promise<PlacementStatus> {
    return (await this.leader.onLeader("applyPlacement")) as PlacementStatus;
  }

  async addMember(peerAddress: string): Promise<MemberStatus> {
    return this.member(await this.leader.onLeader("addMember", peerAddress));
  }
  async promoteMember(member: string): Promise<MemberStatus> {
    return this.member(await this.leader.onLeader("promoteMember", member));
  }
  async demoteMember(member: string): Promise<MemberStatus> {
    return this.member(await this.leader.onLeader("demoteMember", member));
  }
  async removeMember(member: string): Promise<void> {
    await this.leader.onLeader("removeMember", member);
  }
  async replaceMember(old: string, fresh: string): Promise<MemberStatus> {
    return this.member(await this.leader.onLeader("replaceMember", old, fresh));
  }
  async transferLeader(member: string): Promise<number> {
    return (await this.leader.onLeader("transferLeader", member)) as number;
  }

  /** Which timeline the cluster is on, as its leader says; 0 where nobody can be asked: then what is here is served. */
  timeline(): Promise<number> {
    return this.leader.onLeader("timeline").then(
      (epoch) => epoch as number,
      () => 0,
    );
  }
}
