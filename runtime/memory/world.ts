/**
 * A simulated world: machines, the network between them and one virtual time, all from one seed.
 *
 *   const world = new World(seed);
 *   const a = world.machine("a");
 *   const platform = a.start();              a process with its own clock, disk, network
 *   await world.time.run(() => …);           drives time until the task is done
 *   a.powerLoss("tear512"); a.start();       and again, on what the disk kept
 *
 * The same seed and the same code give the same events (`time.traceHash`).
 */
import type { Platform } from "../../src/platform/platform.ts";
import type { ClockSettings } from "./clock.ts";
import { MemoryDisk } from "./disk.ts";
import { CRASH_OUTCOMES, type CrashOutcome } from "./disk-image.ts";
import type { DnsRecords } from "./dns.ts";
import { MemoryHttp } from "./http.ts";
import { Life } from "./life.ts";
import { type Host, MemoryNetwork } from "./net.ts";
import { memoryPlatform } from "./platform.ts";
import type { ProcessState } from "./process.ts";
import { SeededRandom } from "./random.ts";
import { VirtualTime } from "./time.ts";

/** 2026-01-01 00:00:00 UTC: where the wall clocks begin. */
const EPOCH_MS = 1_767_225_600_000;

export class World {
  readonly seed: number;
  readonly time: VirtualTime = new VirtualTime();
  readonly random: SeededRandom;
  readonly network: MemoryNetwork;
  readonly http: MemoryHttp = new MemoryHttp();
  readonly dns: Map<string, DnsRecords> = new Map();
  readonly #machines = new Map<string, Machine>();

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed);
    this.network = new MemoryNetwork(this.time, this.random.fork("network"));
  }

  /** The machine of this name; made at the first call, without a process. */
  machine(name: string): Machine {
    let machine = this.#machines.get(name);
    if (machine === undefined) {
      machine = new Machine(this, name, `10.0.0.${this.#machines.size + 1}`);
      this.#machines.set(name, machine);
      this.network.add(machine);
    }
    return machine;
  }
}

export class Machine implements Host {
  readonly name: string;
  readonly address: string;
  readonly world: World;
  readonly clock: ClockSettings = { wallOffsetMs: EPOCH_MS, earlyMs: 0, rate: 1 };
  readonly process: ProcessState = {
    argv: [],
    env: {},
    output: { stdout: "", stderr: "" },
    files: new Map(),
    listeners: new Map(),
  };
  readonly #random: SeededRandom;
  readonly #disks = new Map<string, MemoryDisk>();
  #life: Life | null = null;
  #runs = 0;
  /** Of the last process that called exit; null while one runs. */
  exitCode: number | null = null;

  constructor(world: World, name: string, address: string) {
    this.world = world;
    this.name = name;
    this.address = address;
    this.#random = world.random.fork(`machine ${name}`);
  }

  get life(): Life | null {
    return this.#life;
  }

  wall(): number {
    return this.clock.wallOffsetMs + this.world.time.now;
  }

  /** Starts a process and gives it its platform. Ends the one that runs, as `kill` does. */
  start(): Platform {
    this.kill();
    this.exitCode = null;
    this.process.listeners.clear();
    const life = new Life(this.name, this.world.time);
    this.#life = life;
    return this.#platform(life, this.#random.fork(`run ${++this.#runs}`));
  }

  /** A second process beside the first, such as one started by mistake; it is not the host's. */
  startBeside(): { platform: Platform; end: () => void } {
    const life = new Life(`${this.name}+`, this.world.time);
    const end = (): void => this.#end(life, true);
    return { platform: this.#platform(life, this.#random.fork(`beside ${++this.#runs}`)), end };
  }

  #platform(life: Life, random: SeededRandom): Platform {
    const onExit = (code: number): void => {
      this.exitCode = code;
      this.#end(life, true);
    };
    return memoryPlatform({ machine: this, life, random, pid: 1000 + this.#runs, onExit });
  }

  /** SIGKILL: the disk keeps all that was written, peers see a reset. */
  kill(): void {
    if (this.#life !== null) this.#end(this.#life, true);
  }

  /** The power fails: unsynced data meets its fate, peers see nothing at all. */
  powerLoss(outcome?: CrashOutcome): CrashOutcome {
    const chosen = outcome ?? CRASH_OUTCOMES[this.#random.below(CRASH_OUTCOMES.length)]!;
    if (this.#life !== null) this.#end(this.#life, false);
    for (const disk of this.#disks.values()) disk.crash(chosen);
    return chosen;
  }

  signal(name: "SIGTERM" | "SIGINT" | "SIGHUP"): void {
    for (const fn of this.process.listeners.get(name) ?? []) this.#life?.after(0, name, fn);
  }

  disk(root: string): MemoryDisk {
    let disk = this.#disks.get(root);
    if (disk === undefined) {
      disk = new MemoryDisk(this.#random.fork(`disk ${root}`));
      this.#disks.set(root, disk);
    }
    return disk;
  }

  /** A new, empty disk in the place of the old one; no process may run. */
  wipe(root: string): void {
    this.#disks.delete(root);
  }

  #end(life: Life, hasPower: boolean): void {
    life.end();
    if (this.#life === life) this.#life = null;
    this.world.network.onEnd(life, hasPower);
  }
}
