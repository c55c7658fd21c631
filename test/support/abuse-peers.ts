/** Attacks on the peer port by somebody who knows the cluster secret, or a wrong one. */

import { SeededRandom } from "../../runtime/memory/random.ts";
import { encodePacked } from "../../src/base/packed.ts";
import { FrameKind } from "../../src/peers/protocol.ts";
import { message } from "../../src/raft/types.ts";
import { HostileFrames, type Target } from "../fuzz/peers/hostile-frames.ts";
import { type AbuseNode, type Attack, address, type Scene } from "./abuse-attack.ts";
import { Stranger, strangerHello } from "./stranger.ts";

const MOST_FRAMES = 12;
const MOST_TERM = 2 ** 53 - 1;
const GREETED_MS = 200;

function come(scene: Scene, node: AbuseNode, i: number, raftId: number): Promise<Stranger> {
  const { clusterId, secret, term, lastIndex } = scene.target;
  const hello = strangerHello({
    clusterId,
    raftId,
    diskUuid: String(i % 10).repeat(32),
    term: raftId === 0 ? 0 : term,
    lastTerm: raftId === 0 ? 0 : term,
    lastIndex: raftId === 0 ? 0 : lastIndex,
  });
  const at = { host: "127.0.0.1", port: node.peerPort };
  return Stranger.come(scene.platformFrom(address(i % 20)), at, secret, hello);
}

/** As a guest, as a member that nobody knows, and with the number of a member. */
async function hostile(scene: Scene, i: number, frames: HostileFrames): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const raftId = [0, 9, (node.raftId % 3) + 1][i % 3]!;
  const stranger = await come(scene, node, i, raftId);
  await scene.sleep(GREETED_MS);
  scene.count(stranger.isGreeted ? "greeted" : "not greeted");
  const { term, lastIndex } = scene.target;
  const from = raftId || 9;
  const target: Target = { from, to: node.raftId, term, lastIndex, snapshot: new Uint8Array(64) };
  for (let n = 0; n < MOST_FRAMES && !stranger.isClosed; n++) {
    const { kind, body } = frames.next(target);
    stranger.send(kind, body);
    scene.count("frames");
    await scene.sleep(2);
  }
  stranger.leave();
}

/** Says that the node was removed, that the term is the last there is, and that all is committed. */
async function lie(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const raftId = [0, 9, (node.raftId % 3) + 1][i % 3]!;
  const stranger = await come(scene, node, i, raftId);
  await scene.sleep(GREETED_MS);
  const code = ["removed", "clone", "reverted"][i % 3];
  stranger.send(FrameKind.REFUSE, encodePacked({ code, message: "You were removed" }));
  for (const from of [(node.raftId % 3) + 1, 9]) {
    const to = node.raftId;
    stranger.raft(message("MsgHeartbeat", { from, to, term: MOST_TERM, commit: 2 ** 40 }));
    stranger.raft(message("MsgPreVote", { from, to, term: MOST_TERM, index: 2 ** 40 }));
    stranger.raft(message("MsgVote", { from, to, term: scene.target.term + 1, index: 2 ** 40 }));
    stranger.raft(message("MsgTimeoutNow", { from, to, term: scene.target.term }));
    stranger.raft(message("MsgSnap", { from, to, term: scene.target.term + 100 }));
  }
  stranger.call("join", { announcement: { name: "\0", peer: 7 }, history: "all" });
  await scene.sleep(50);
  scene.count(stranger.isClosed ? "sent away" : "stayed");
  stranger.leave();
}

export const PEERS: readonly Attack[] = [
  {
    name: "hostile-frames",
    says: "8 clients with the cluster secret and frames with hostile values, as guests and as no members",
    covers: "7, 8",
    run: (scene) => {
      const frames = new HostileFrames(new SeededRandom(process.pid));
      return scene.crowd(8, 20, (i) => hostile(scene, i, frames));
    },
  },
  {
    name: "lying-peers",
    says: "8 clients with the cluster secret that refuse nodes, say the last term there is, and join with odd values",
    covers: "7, 8",
    run: (scene) => scene.crowd(8, 20, (i) => lie(scene, i)),
  },
  {
    name: "wrong-secret",
    says: "16 clients with a wrong cluster secret",
    covers: "held: wrong secret, a man in the middle",
    run: (scene) =>
      scene.crowd(16, 20, async (i) => {
        const node = scene.nodes[i % scene.nodes.length]!;
        const platform = scene.platformFrom(address(i % 20));
        const at = { host: "127.0.0.1", port: node.peerPort };
        const stranger = await Stranger.come(platform, at, "not the secret", strangerHello());
        await scene.sleep(GREETED_MS);
        scene.count(stranger.isGreeted ? "LET IN" : "not greeted");
        stranger.leave();
      }),
  },
];
