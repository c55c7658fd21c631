/**
 * An app on Fly.io on this machine: each of its machines is a process with an address of its own in
 * 127.0.0.0/8 and the standard ports, told of itself by the environment as Fly does; a fake name server
 * is Fly's DNS. An address is given as an IPv6 one that holds the IPv4 one (::ffff:127.…).
 *
 * Fly's machines listen on `[::]`; here each has to keep to its address, so `[listen]` is in the file.
 */
import path from "node:path";
import { NodeProcess } from "../../demo/node-process.ts";
import type { Runtime } from "../../demo/runtimes.ts";
import { FakeDns } from "./fake-dns.ts";
import { ACCOUNT } from "./local-node.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export const APP = "demo";
export const PRIMARY_REGION = "iad";
export const ADMIN_TOKEN = "a-token-of-the-fly-app-for-tests";
const CLUSTER_SECRET = "a-secret-of-the-fly-app-for-tests";

export interface FlyAppOptions {
  /** Further variables of all machines, such as the source's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly toml?: string;
}

export interface MachineOptions {
  readonly runtime?: Runtime;
  /** A volume that is there already. */
  readonly dataDir?: string;
}

export class FlyApp {
  readonly dns: FakeDns;
  readonly folder: string;
  readonly #dir: TempDir;
  readonly #options: FlyAppOptions;
  /** "127.x.y": the network of this app, so that tests may run beside each other. */
  readonly #net: string;
  readonly #machines = new Map<string, { region: string; host: string; started: boolean }>();
  readonly #processes: NodeProcess[] = [];
  #addresses = 1;

  static async start(options: FlyAppOptions = {}): Promise<FlyApp> {
    return new FlyApp(await tempDir("fly"), await FakeDns.start(), options);
  }

  private constructor(dir: TempDir, dns: FakeDns, options: FlyAppOptions) {
    this.#dir = dir;
    this.folder = dir.path;
    this.dns = dns;
    this.#options = options;
    const part = (): number => 1 + Math.floor(Math.random() * 254);
    this.#net = `127.${part()}.${part()}`;
  }

  /** Processes of machines that exist. */
  get nodes(): NodeProcess[] {
    return this.#processes.filter((node) => this.#machines.has(node.name));
  }

  /** `fly machine run`: listed from now on; `launch` starts its process. */
  async create(id: string, region: string, options: MachineOptions = {}): Promise<NodeProcess> {
    const host = `${this.#net}.${++this.#addresses}`;
    this.#machines.set(id, { region, host, started: true });
    this.#publish();
    const node = await NodeProcess.create({
      folder: path.join(this.folder, id),
      name: id,
      account: ACCOUNT,
      toml: `[storage]\nsegment_bytes = "1MiB"\n${this.#options.toml ?? ""}`,
      machine: { host, env: this.env(id, region) },
      ...options,
    });
    this.#processes.push(node);
    return node;
  }

  /** A node that is no machine of Fly, told of the others by a name of this DNS; `start` starts. */
  async outside(name: string, discoveryName: string, runtime: Runtime): Promise<NodeProcess> {
    const host = `${this.#net}.${++this.#addresses}`;
    const node = await NodeProcess.create({
      folder: path.join(this.folder, name),
      name,
      account: ACCOUNT,
      toml: `[cluster]
discovery = "dns"
discovery_name = "${discoveryName}"
[storage]
segment_bytes = "1MiB"`,
      machine: {
        host,
        env: {
          BINRAFT_NODE_NAME: name,
          BINRAFT_CLUSTER_SECRET: CLUSTER_SECRET,
          FLY_NAMESERVER: this.dns.address,
        },
      },
      runtime,
    });
    this.#processes.push(node);
    return node;
  }

  /** The machine moves to another host: same id and volume, another address. Its process is to be ended before. */
  async move(node: NodeProcess): Promise<NodeProcess> {
    const { region } = this.#machines.get(node.name)!;
    this.#processes.splice(this.#processes.indexOf(node), 1);
    return this.create(node.name, region, { dataDir: node.dataDir });
  }

  /** Stopped by Fly: it exists, and is on the list of all machines only. */
  setStarted(node: NodeProcess, started: boolean): void {
    this.#machines.get(node.name)!.started = started;
    this.#publish();
  }

  /** `fly machine destroy`: its process is killed and nobody knows its name any more; its volume stays. */
  async destroy(node: NodeProcess): Promise<void> {
    await node.kill();
    this.dns.records.delete(`${node.name}.vm.${APP}.internal`);
    this.#machines.delete(node.name);
    this.#publish();
  }

  env(id: string, region: string): Record<string, string> {
    return {
      FLY_APP_NAME: APP,
      FLY_MACHINE_ID: id,
      FLY_REGION: region,
      PRIMARY_REGION,
      FLY_NAMESERVER: this.dns.address,
      BINRAFT_CLUSTER_SECRET: CLUSTER_SECRET,
      BINRAFT_ADMIN_TOKEN: ADMIN_TOKEN,
      BINRAFT_CLUSTER_BOOTSTRAP_EXPECT: "1",
      ...this.#options.env,
    };
  }

  #publish(): void {
    const list = (all: boolean): readonly string[] => [
      [...this.#machines]
        .filter(([, { started }]) => all || started)
        .map(([id, { region }]) => `${id} ${region}`)
        .join(","),
    ];
    this.dns.records.set(`all.vms.${APP}.internal`, { TXT: list(true) });
    this.dns.records.set(`vms.${APP}.internal`, { TXT: list(false) });
    for (const [id, { host, started }] of this.#machines)
      this.dns.records.set(`${id}.vm.${APP}.internal`, { AAAA: started ? [`::ffff:${host}`] : [] });
  }

  /** The last lines of each machine's log. */
  async lastWords(lines = 12): Promise<string> {
    const said = await Promise.all(
      this.#processes.map(async (node) => {
        const all = (await node.said()).trimEnd().split("\n");
        return `--- ${node.name}${node.running ? "" : " (down)"}\n${all.slice(-lines).join("\n")}`;
      }),
    );
    return said.join("\n");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((node) => node.kill()));
    await this.dns.close();
    await this.#dir.remove();
  }
}
