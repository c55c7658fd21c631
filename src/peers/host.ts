/** What the links need of the node that has them. */
import type { Entry, Message } from "../raft/types.ts";
import type { PeerCredentials } from "./handshake.ts";
import type { Hello, Refusal } from "./protocol.ts";

export interface PeersHost {
  /**
   * Read anew for each connection: secrets and certificates are changed in their files. Rejects with
   * BinraftError when they cannot be used.
   */
  credentials(): Promise<PeerCredentials>;
  /** 0 while this node has no place in a cluster. */
  readonly raftId: number;
  hello(): Hello;
  /** Null: it is who it says, and may speak; also one of which only its id is new. */
  judge(hello: Hello): Refusal | null;
  /** Whether what is sent to it is to be made smaller. */
  packsFor(hello: Hello): boolean;
  /** Before its first message: what must not be forgotten of it is durable when it resolves. */
  remember(hello: Hello): Promise<void>;
  /** What a link of a member is told once a second. */
  status(): unknown;
  /** Throws MalformedBytes or Nonsense, which ends the link, for one that cannot be. */
  onStatus(raftId: number, status: unknown): void;
  /** The same. What this node does not want now is passed over. */
  onMessage(message: Message): void;
  /** A message was dropped; what it held must be sent again. */
  onDropped(raftId: number): void;
  /** `raftId` of the caller is 0 for a node that is no member yet. */
  onCall(caller: Hello, method: string, args: unknown): Promise<unknown>;
  /** A node asks that is no member, or asks as if it was none. */
  onGuest(hello: Hello): void;
  onFetch(first: number, last: number): Promise<readonly Entry[]>;
  /** Who answers at the address of a member, to which we went ourselves, does not take us for who we are. */
  onRefused(raftId: number, refusal: Refusal): void;
  /** A link of a member began or ended. */
  onLinkChange(raftId: number): void;
  own(payload: Uint8Array): Uint8Array;
}
