/** Conformance of HTTP: answers, bodies that fail, clients that leave or do not read, and stopping. */
import assert from "node:assert/strict";
import { delay } from "../../src/platform/clock.ts";
import { HTTP_LIMITS } from "../../src/platform/http.ts";
import type { Conn } from "../../src/platform/net.ts";
import type { Suite } from "./harness.ts";
import { HOST } from "./streams.ts";

const PIECE_BYTES = 256 * 1024;
const MOST_PIECES = 400;
/** Bun waits ten seconds for an answer when nothing else is said, and looks every four. */
const BUN_IDLE_MS = 15_000;
const CONNECT_MS = 60_000;
const SURPLUS = 20;

/** A body of many pieces; tells how many were asked for, and when the reader has left. */
function countedBody(): {
  readonly body: ReadableStream<Uint8Array>;
  readonly left: Promise<void>;
  pulled(): number;
} {
  let pulled = 0;
  const { promise: left, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(new Uint8Array(PIECE_BYTES));
        if (++pulled === MOST_PIECES) controller.close();
      },
      cancel: () => resolve(),
    },
    { highWaterMark: 0 },
  );
  return { body, left, pulled: () => pulled };
}

export function httpConformance({ check }: Suite): void {
  check("HTTP answers, stops gracefully and frees its port", async (harness) => {
    const { platform } = harness;
    const requests: string[] = [];
    const { promise: slowCame, resolve: slowIsThere } = Promise.withResolvers<void>();
    const server = await platform.http.serve({ host: HOST, port: 0 }, async (request) => {
      requests.push(`${request.method} ${new URL(request.url).pathname}`);
      if (request.url.endsWith("/slow")) {
        slowIsThere();
        await delay(platform.clock, 100);
      }
      return Response.json({ body: await request.text() }, { status: 201 });
    });
    const { port } = server.address;
    const answer = await harness.fetch(port, "/a", { method: "POST", body: "hello" });
    assert.equal(answer.status, 201);
    assert.deepEqual(await answer.json(), { body: "hello" });
    const slow = harness.fetch(port, "/slow");
    await slowCame;
    const started = platform.clock.mono();
    await Promise.all([server.stop(5_000), slow.then((response) => response.json())]);
    await server.stop(0);
    // Kept-alive connections must not hold it up until the grace is over.
    assert.ok(platform.clock.mono() - started < 2_500);
    assert.deepEqual(requests, ["POST /a", "GET /slow"]);
    await assert.rejects(harness.fetch(port, "/"));
  });

  check("HTTP: a body that fails midway does not look whole", async (harness) => {
    const { platform } = harness;
    for (const pieces of [0, 1, 3, 20]) {
      const server = await platform.http.serve({ host: HOST, port: 0 }, () => {
        let sent = 0;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (sent++ === pieces) throw new Error("the disk is gone");
            controller.enqueue(new Uint8Array(64 * 1024));
          },
        });
        return new Response(body);
      });
      const read = async (): Promise<void> => {
        const { body } = await harness.fetch(server.address.port, "/");
        for await (const bytes of body!) assert.ok(bytes.every((byte) => byte === 0));
      };
      await assert.rejects(read(), (error: Error) => error.name !== "AssertionError");
      await server.stop(0);
    }
  });

  check("HTTP cuts what is not done after the grace", async (harness) => {
    const { platform } = harness;
    const server = await platform.http.serve({ host: HOST, port: 0 }, async () => {
      await delay(platform.clock, 30_000);
      return new Response("late");
    });
    const hanging = harness.fetch(server.address.port, "/").catch(() => {});
    await delay(platform.clock, 50);
    const started = platform.clock.mono();
    await server.stop(100);
    assert.ok(platform.clock.mono() - started < 5_000);
    if (platform.name !== "memory") await hanging;
  });

  check(
    "HTTP: a client that does not read holds the body back, and one that leaves ends it",
    async (harness) => {
      const { platform } = harness;
      const { body, left, pulled } = countedBody();
      const server = await platform.http.serve({ host: HOST, port: 0 }, () => new Response(body));
      const leave = new AbortController();
      const answer = await harness.fetch(server.address.port, "/", { signal: leave.signal });
      const reader = answer.body!.getReader();
      await reader.read();
      // Until nothing was asked for in a while.
      for (let before = -1; before !== pulled(); await delay(platform.clock, 200))
        before = pulled();
      assert.ok(pulled() > 0 && pulled() < MOST_PIECES / 2, `${pulled()} pieces were taken`);
      leave.abort();
      await reader.cancel().catch(() => {});
      await left;
      assert.ok(pulled() < MOST_PIECES);
      await server.stop(0);
    },
  );

  check("HTTP: an answer that is still being sent is cut after the grace", async (harness) => {
    const { platform } = harness;
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(1)) });
    const server = await platform.http.serve(
      { host: HOST, port: 0 },
      () => new Response(endless()),
    );
    const reader = (await harness.fetch(server.address.port, "/")).body!.getReader();
    assert.deepEqual([...((await reader.read()).value ?? [])], [1]);
    const rest = reader.read().then(
      ({ done }) => done,
      () => true,
    );
    await server.stop(50);
    if (platform.name !== "memory") assert.equal(await rest, true);
  });

  check("HTTP: an answer may take longer than Bun waits by itself", async (harness) => {
    const { platform } = harness;
    const server = await platform.http.serve({ host: HOST, port: 0 }, async () => {
      await delay(platform.clock, BUN_IDLE_MS);
      return new Response("late");
    });
    assert.equal(await (await harness.fetch(server.address.port, "/")).text(), "late");
    await server.stop(0);
  });

  check("HTTP: silent connections keep nobody out, and are bounded", async (harness) => {
    const { platform } = harness;
    // There are no connections in the simulation.
    if (platform.name === "memory") return;
    const server = await platform.http.serve({ host: HOST, port: 0 }, () => new Response("in"));
    const { port } = server.address;
    let open = 0;
    const silent: Conn[] = [];
    const ends: Promise<void>[] = [];
    for (let i = 0; i < HTTP_LIMITS.placesPerAddress + SURPLUS; i++) {
      const conn = await platform.net.connect({ host: HOST, port }, CONNECT_MS);
      open++;
      silent.push(conn);
      const end = async (): Promise<void> => {
        await conn.read().catch(() => null);
        open--;
      };
      ends.push(end());
    }
    // The oldest of them went for the newest, and one more goes for who has something to say.
    await Promise.all(ends.slice(0, SURPLUS));
    assert.equal(await (await harness.fetch(port, "/")).text(), "in");
    await ends[SURPLUS];
    assert.ok(open <= HTTP_LIMITS.placesPerAddress, `${open} are open`);
    for (const conn of silent) conn.destroy();
    await Promise.all(ends);
    await server.stop(0);
  });

  check("HTTP: who says nothing is cut", async (harness) => {
    const { platform } = harness;
    if (platform.name === "memory") return;
    const server = await platform.http.serve({ host: HOST, port: 0 }, () => new Response("in"));
    const conn = await platform.net.connect({ host: HOST, port: server.address.port }, CONNECT_MS);
    // Node says that the request took too long, then ends as the others do.
    for (let bytes = await conn.read(); bytes !== null; ) bytes = await conn.read();
    conn.destroy();
    await server.stop(0);
  });
}
