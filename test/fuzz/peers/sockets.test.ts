/** The same over real sockets and TLS, against a node that is a cluster of one: on whichever runtime this runs. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { staticDiscovery } from "../../../src/cluster/discovery.ts";
import { FrameKind } from "../../../src/peers/protocol.ts";
import { LocalNode, testCertificate } from "../../support/local-node.ts";
import { Stranger, strangerHello } from "../../support/stranger.ts";
import { thisPlatform } from "../../support/this-platform.ts";
import { waitFor } from "../../support/wait-for.ts";
import { HostileFrames } from "./hostile-frames.ts";

const SECRET = "the secret of a cluster of one";
const CONNECTIONS = 60;
const FRAMES = 8;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("over real sockets, too, nothing that a stranger says ends a node or changes its log", async () => {
  const platform = await thisPlatform();
  const tls = await testCertificate();
  const address = { host: "127.0.0.1", port: await freePort() };
  const peer = `${address.host}:${address.port}`;
  const local = await LocalNode.start({
    settings: {
      cluster: {
        listen: address,
        advertised: { peer, mysql: "127.0.0.1:1", admin: "" },
        discovery: staticDiscovery([]),
        bootstrapExpect: null,
        bootstrap: true,
        history: "all",
        heartbeatMs: 100,
        electionMs: 1_000,
        placement: { mode: "manual", voters: 3, leaderRegion: null },
        leaderCooldownMs: 60_000,
        replaceAfterMs: 600_000,
        removeAfterMs: 0,
        compress: "auto",
        wanWindowBytes: 1024 * 1024,
        credentials: async () => ({ ...tls, ca: null, secrets: [SECRET] }),
      },
    },
  });
  const { core } = local.node;
  let failure: Error | null = null;
  void local.node.failed.then((error) => {
    failure = error;
  });
  try {
    const isSettled = (): boolean =>
      core.driver.leads &&
      core.state.members.get(1)?.peer === peer &&
      core.state.settings.placement !== null;
    await waitFor(isSettled, { deadlineMs: 20_000, what: "all that it seeds is in its log" });
    const state = (): unknown => [core.driver.term, core.driver.commit, core.log.lastIndex];
    const before = state();
    const random = new SeededRandom(1);
    const frames = new HostileFrames(random);
    const { clusterId } = core.log.identity;
    for (let i = 0; i < CONNECTIONS; i++) {
      const raftId = i % 2 === 0 ? 0 : 9;
      const hello = strangerHello({ clusterId, raftId });
      const stranger = await Stranger.come(platform, address, SECRET, hello);
      const isAnswered = (): boolean => stranger.isGreeted || stranger.isClosed;
      await waitFor(isAnswered, { deadlineMs: 5_000, what: "a hello, or the end" });
      const target = { from: 9, to: 1, term: core.driver.term, lastIndex: core.log.lastIndex };
      for (let sent = 0; sent < FRAMES && !stranger.isClosed; sent++) {
        const { kind, body } = frames.next({ ...target, snapshot: core.state.encode() });
        stranger.send(kind, body);
      }
      // What came before it was read when this is answered.
      stranger.call("present", null, 77);
      const isRead = (): boolean =>
        stranger.isClosed ||
        stranger.frames.some(({ kind, body }) => kind === FrameKind.ANSWER && body[0] === 77);
      await waitFor(isRead, { deadlineMs: 5_000, what: "an answer, or the end" });
      stranger.leave();
      assert.equal(failure, null);
    }
    assert.deepEqual(state(), before);
    assert.equal(local.node.cluster().members.length, 1);
    assert.ok(core.driver.leads);
  } finally {
    await local.stop();
  }
});
