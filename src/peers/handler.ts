/** What comes over a link, given to the host if the other side may say it. */
import type { Clock } from "../platform/clock.ts";
import { CallFailed } from "./calls.ts";
import type { PeersHost } from "./host.ts";
import type { LinkHandler } from "./link.ts";
import type { Peer } from "./peer.ts";
import { type Hello, Nonsense } from "./protocol.ts";

/** `caller` is null on a link that only asks; `peer` on that of a node that is no member. */
export function linkHandler(
  host: PeersHost,
  clock: Clock,
  caller: Hello | null,
  peer: Peer | null = null,
): LinkHandler {
  return {
    onRaft: (message) => {
      if (peer?.stop.signal.aborted) return;
      if (peer === null || message.from !== peer.member.raftId || message.to !== host.raftId)
        throw new Nonsense(
          `a Raft message of node ${message.from} for node ${message.to} on a link that is not theirs`,
        );
      host.onMessage(message);
    },
    onStatus: (status) => {
      if (peer === null) throw new Nonsense("a status of a node that is no member");
      const { echoMs, heldMs, report } = status;
      const nowMs = clock.mono();
      // What we have not said yet nobody echoes.
      if (echoMs !== undefined && heldMs !== undefined && echoMs <= nowMs)
        peer.rtt.echoed(echoMs, Math.max(0, nowMs - echoMs - heldMs));
      host.onStatus(peer.member.raftId, report);
    },
    onCall: (method, args) => {
      if (caller === null) throw new CallFailed("invalid", "This link takes no calls");
      return host.onCall(caller, method, args);
    },
    onFetch: (first, last) => {
      if (peer === null) throw new CallFailed("invalid", "Entries are for members only");
      return host.onFetch(first, last);
    },
    own: (payload) => host.own(payload),
  };
}
