/** Attacks that need no login: who says nothing, too little, or what means nothing. */
import { randomBytes } from "node:crypto";
import { connect as connectTls } from "node:tls";
import { type Attack, address, closed, type Scene } from "./abuse-attack.ts";

/** A login packet without credentials that asks for TLS. */
const TLS_REQUEST = Buffer.from(
  [[32, 0, 0, 1], [0x00, 0xae, 0xbf, 0x00], [0, 0, 0, 1], [45], new Array(23).fill(0)].flat(),
);
/** A ClientHello that says it is longer than what comes. */
const HALF_HELLO = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
/** One address has more than others: that of the real replicas. */
const OWN = "127.0.0.1";

/** A byte at a time. */
async function drip(scene: Scene, port: number, from: string, text: string): Promise<void> {
  const socket = await scene.open(port, from);
  socket.resume();
  let at = 0;
  while (!socket.destroyed && !scene.stop.aborted) {
    socket.write(text[at++ % text.length]!);
    await scene.sleep(1_000);
  }
}

async function garbage(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const from = address(i % 40);
  const isPeer = i % 2 === 0;
  const socket = await scene.open(isPeer ? node.peerPort : node.mysqlPort, from);
  socket.resume();
  if (!isPeer) socket.write(TLS_REQUEST);
  socket.write(i % 3 === 0 ? HALF_HELLO : randomBytes(600));
  await Promise.race([closed(socket), scene.sleep(3_000)]);
  socket.destroy();
}

/** A real ClientHello, and nobody who goes on behind it. */
async function hello(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const isPeer = i % 2 === 0;
  const socket = await scene.open(isPeer ? node.peerPort : node.mysqlPort, address(i % 40));
  if (!isPeer) {
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write(TLS_REQUEST);
  }
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.on("error", () => {});
  secure.once("secureConnect", () => secure.destroy());
  await Promise.race([closed(socket), scene.sleep(3_000)]);
  socket.destroy();
}

/** So many per node, from one address and from many. */
function silentAt(port: "mysqlPort" | "adminPort" | "peerPort", each: number, addresses: number) {
  return (scene: Scene): Promise<void> =>
    scene.crowd(each * scene.nodes.length, 200, (i) => {
      const node = scene.nodes[i % scene.nodes.length]!;
      const nth = Math.floor(i / scene.nodes.length);
      const own = nth % (addresses + 1) === 0;
      return scene.silent(node[port], own ? OWN : address(nth % addresses));
    });
}

export const SILENCE: readonly Attack[] = [
  {
    name: "silent-admin",
    says: "700 silent connections to each admin port, from 17 addresses, with 400 handles left",
    covers: "1",
    handlesLeft: 400,
    run: silentAt("adminPort", 700, 16),
  },
  {
    name: "no-handles",
    says: "the same with 60 handles left, which keeps out who comes new, and stops nothing",
    covers: "1",
    handlesLeft: 60,
    shutsOut: true,
    run: silentAt("adminPort", 700, 16),
  },
  {
    name: "silent-mysql",
    says: "272 silent connections to each MySQL port, from 16 addresses and the replicas' own",
    covers: "2",
    run: silentAt("mysqlPort", 272, 16),
  },
  {
    name: "silent-peers",
    says: "136 silent connections to each peer port, from 16 addresses and the members' own",
    covers: "3",
    run: silentAt("peerPort", 136, 16),
  },
  {
    name: "many-connections",
    says: "5,000 connections over all ports, from 100 addresses, opened again when they are closed",
    covers: "held: 5,000 connections",
    run: (scene) =>
      scene.crowd(5_000, 1_000, (i) => {
        const node = scene.nodes[i % scene.nodes.length]!;
        const port = [node.mysqlPort, node.adminPort, node.peerPort][
          i % 7 === 0 ? 1 : i % 2 ? 0 : 2
        ]!;
        return scene.silent(port, address(i % 100));
      }),
  },
  {
    name: "slowloris",
    says: "300 clients that send a byte a second: login packets, HTTP heads, TLS hellos",
    covers: "held: slowloris",
    run: (scene) =>
      scene.crowd(300, 100, (i) => {
        const node = scene.nodes[i % scene.nodes.length]!;
        const from = address(i % 30);
        if (i % 5 < 2) return drip(scene, node.mysqlPort, from, "\u0020\0\0\u0001\0\0\0\0");
        if (i % 5 < 4) return drip(scene, node.adminPort, from, "GET /livez HTTP/1.1\r\nx-a: b");
        return drip(scene, node.peerPort, from, "\u0016\u0003\u0001\u0002\0\u0001");
      }),
  },
  {
    name: "tls-garbage",
    says: "60 clients that send what is no TLS where TLS must come, and half of a ClientHello",
    covers: "held: TLS garbage, injection before STARTTLS",
    run: (scene) => scene.crowd(60, 20, (i) => garbage(scene, i)),
  },
  {
    name: "hello-flood",
    says: "40 clients that begin one TLS handshake after the other and leave",
    covers: "held: ClientHello floods",
    run: (scene) => scene.crowd(40, 20, (i) => hello(scene, i)),
  },
];
