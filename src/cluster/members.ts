/**
 * Who belongs to the cluster: replicated, by Raft id. A member is a disk: one that comes back with
 * another disk is another member, and ids are never used again.
 *
 * A member enters and leaves by the change of the configuration itself, whose context carries what
 * is to be known of it: there is no moment at which only one of both is true.
 */
import type { Address } from "../platform/net.ts";
import type { ConfState } from "../raft/types.ts";

export interface Member {
  readonly id: number;
  readonly diskUuid: string;
  readonly name: string;
  readonly region: string;
  /** "host:port" where the others reach it. */
  readonly peer: string;
  readonly mysql: string;
  readonly admin: string;
  readonly version: string;
  /** The newest log format that it can read. */
  readonly formatVersion: number;
  /** Whether its binlog server is to run. */
  readonly server: "running" | "stopped";
  /** Joined from now (head.ts): the entry that begins its first file. Absent: it has all. */
  readonly startsAt?: number;
}

/** What a node says of itself when it joins and at each start. */
export type Announcement = Omit<Member, "id" | "server" | "startsAt">;

export function membersOf(conf: ConfState): number[] {
  const ids = [...conf.voters, ...conf.learners, ...conf.votersOutgoing, ...conf.learnersNext];
  return [...new Set(ids)].sort((a, b) => a - b);
}

export function isVoter(conf: ConfState, id: number): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** "host:port", "[v6]:port". Null when it is not one. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  return port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2]!, port } : null;
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
