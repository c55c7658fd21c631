/**
 * `npm run soak`: what takes too long for `npm test`.
 *
 *   npm run soak                           all parts
 *   npm run soak -- kills --rounds 200     SIGKILL of a single node under load
 *   npm run soak -- cluster --rounds 200   faults of every kind in a cluster of processes under load;
 *                                          --kinds "kill leader,disk full" for some of them
 *   npm run soak -- failover --rounds 50   SIGKILL of the leader: how long commits wait
 *   npm run soak -- lockout --rounds 30    the same while the source lets nobody log in: SIGKILL of the leader beside
 *                                          CREATE USER and SET GLOBAL; --without a kept connection it waits in vain
 *   npm run soak -- power --rounds 30      loss of power, of one node and of all (needs loop mounts)
 *   npm run soak -- large --gib 4          one transaction of so many GiB (needs about 10 × free)
 *   npm run soak -- segments               every value of every byte of a 64 KiB segment
 *   npm run soak -- --minutes 60           clusters of bare Raft cores, and of whole machines, with
 *                                          faults; --from N begins with another seed
 *   npm run soak -- nodes --minutes 60     clusters of whole nodes with a source and replicas, likewise
 *   npm run soak -- join --gib 1           a fourth node joins a cluster that holds so much and works
 *   npm run soak -- flips --flips 500      one bit of the log of a stopped node of three, again and again
 *   npm run soak -- sectors --rounds 300   a sector of the logs of one, or two, stopped nodes of three, likewise
 *   npm run soak -- runtimes               the end-to-end tests on Bun and on Deno
 *   npm run soak -- wan --minutes 30       three regions: a time without faults, regions and a learner cut off,
 *                                          the source's fail-over; --away 10 (minutes), --cut 30 (seconds)
 *   npm run soak -- meaning --frames 1000000   frames with hostile values against three nodes; --from SEED
 *   npm run soak -- abuse                  every attack of docs/08-testing.md, one after the other; --only NAME,
 *                                          --list, --seconds 10 of each; --minutes 30: all of them at once
 *   npm run soak -- package                the package, packed and installed by npm: node and demo on each runtime
 *   npm run soak -- start --gib 10         how long a killed node with so much log takes to serve
 */
import { parseArgs } from "node:util";
import { meaningRounds } from "../fuzz/peers/meaning.ts";
import { longRun } from "../sim/long-run.ts";
import { longNodeRun } from "../sim/nodes/long-run.ts";
import { ATTACKS } from "../support/abuse-attacks.ts";
import { abuseRounds } from "../support/abuse-rounds.ts";
import { clusterRounds } from "../support/cluster-rounds.ts";
import { e2eOnRuntimes } from "../support/e2e-on-runtimes.ts";
import { failovers } from "../support/failovers.ts";
import { flipRounds } from "../support/flip-rounds.ts";
import { joinUnderLoad } from "../support/join-under-load.ts";
import { killRounds } from "../support/kill-rounds.ts";
import { freeSpaceFor, largeTransaction } from "../support/large-transaction.ts";
import { lockoutRounds } from "../support/lockout-rounds.ts";
import { packageRounds } from "../support/package-rounds.ts";
import { powerRounds } from "../support/power-rounds.ts";
import { flipSegment } from "../support/segment-flips.ts";
import { startAfterKill } from "../support/start-after-kill.ts";
import { wanRun } from "../support/wan-run.ts";

const GIB = 1024 ** 3;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    kinds: { type: "string" },
    gib: { type: "string" },
    minutes: { type: "string" },
    away: { type: "string", default: "10" },
    cut: { type: "string", default: "30" },
    flips: { type: "string", default: "500" },
    frames: { type: "string", default: "1000000" },
    from: { type: "string", default: "1" },
    only: { type: "string" },
    list: { type: "boolean", default: false },
    seconds: { type: "string", default: "10" },
    without: { type: "boolean", default: false },
  },
});
const rounds = (standard: number): number => Number(values.rounds ?? standard);
const say = (line: string): void => console.log(line);

/** Each gives a line to print; a skip begins with "skipped". */
const PARTS: Readonly<Record<string, () => Promise<string>>> = {
  kills: async () => JSON.stringify(await killRounds(rounds(200), say)),
  cluster: async () => {
    const kinds = values.kinds?.split(",");
    return JSON.stringify(
      await clusterRounds({ rounds: rounds(200), say, ...(kinds ? { only: kinds } : {}) }),
      null,
      1,
    );
  },
  wan: async () =>
    JSON.stringify(
      await wanRun({
        quietMinutes: Number(values.minutes ?? 30),
        cutSeconds: Number(values.cut),
        awayMinutes: Number(values.away),
        learnersPerRegion: 2,
        perSecond: 200,
        say,
      }),
      null,
      1,
    ),
  failover: async () => JSON.stringify(await failovers(rounds(50), say)),
  lockout: async () => JSON.stringify(await lockoutRounds(rounds(30), say, !values.without)),
  power: async () => {
    const report = await powerRounds(rounds(30), say);
    return typeof report === "string" ? `skipped: ${report}` : JSON.stringify(report);
  },
  large: async () => {
    const gib = Number(values.gib ?? "4");
    const short = await freeSpaceFor(gib * 10 * GIB);
    if (short !== null) return `skipped: ${short}`;
    return JSON.stringify(await largeTransaction(Math.ceil(gib * 32), 32 * 1024 * 1024, say));
  },
  sim: () => longRun(Number(values.from), Number(values.minutes ?? "60"), say),
  join: async () => {
    const gib = Number(values.gib ?? "1");
    const short = await freeSpaceFor(gib * 10 * GIB);
    if (short !== null) return `skipped: ${short}`;
    return JSON.stringify(await joinUnderLoad(gib, say));
  },
  nodes: () => longNodeRun(Number(values.from), Number(values.minutes ?? "60"), say),
  segments: async () => JSON.stringify(await flipSegment("all values", say)),
  flips: async () =>
    JSON.stringify(await flipRounds(Number(values.flips), Number(values.from), say)),
  sectors: async () =>
    JSON.stringify(await flipRounds(rounds(300), Number(values.from), say, "sector")),
  runtimes: async () => JSON.stringify(await e2eOnRuntimes(["bun", "deno"], say)),
  meaning: async () =>
    JSON.stringify(await meaningRounds(Number(values.frames), Number(values.from), say), null, 1),
  abuse: async () => {
    if (values.list) return ATTACKS.map(({ name, says }) => `${name}: ${says}`).join("\n");
    return abuseRounds({
      only: values.only?.split(",") ?? [],
      minutes: values.minutes === undefined ? null : Number(values.minutes),
      seconds: Number(values.seconds),
      say,
    });
  },
  package: async () => JSON.stringify(await packageRounds(say)),
  start: async () => {
    const gib = Number(values.gib ?? "10");
    const short = await freeSpaceFor(gib * 2 * GIB);
    if (short !== null) return `skipped: ${short}`;
    return JSON.stringify(await startAfterKill(gib * GIB, say));
  },
};

/** A time is meant for the part that has one. */
const all = values.minutes === undefined ? Object.keys(PARTS) : ["sim"];
const chosen = positionals.length > 0 ? positionals : all;
let failed = false;
for (const name of chosen) {
  const part = PARTS[name];
  if (part === undefined) {
    console.error(`There is no part "${name}": choose from ${Object.keys(PARTS).join(", ")}`);
    process.exit(2);
  }
  say(`== ${name}`);
  const began = performance.now();
  try {
    say(await part());
  } catch (error) {
    failed = true;
    console.error(error);
  }
  say(`== ${name}: ${Math.round((performance.now() - began) / 1000)} s`);
}
process.exit(failed ? 1 : 0);
