/** Attacks on the admin port: by somebody with the token, and without. */
import http from "node:http";
import { type AbuseNode, type Attack, address, type Scene } from "./abuse-attack.ts";

const ROUTES = [
  "/v1/status",
  "/v1/cluster",
  "/v1/replicas",
  "/v1/binlogs",
  "/v1/accounts",
  "/v1/members",
  "/metrics",
  "/openapi.json",
] as const;
const DEADLINE_MS = 20_000;

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** On a connection of its own. Resolves with the status. */
function ask(
  node: AbuseNode,
  from: string,
  { path, method, headers, body }: Asked,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: "127.0.0.1",
        port: node.adminPort,
        localAddress: from,
        agent: false,
        path,
        method: method ?? "GET",
        headers: { ...headers },
        timeout: DEADLINE_MS,
      },
      (response) => {
        response.resume();
        response.once("close", () => resolve(response.statusCode ?? 0));
      },
    );
    request.once("timeout", () => request.destroy());
    request.once("error", reject);
    request.end(body);
  });
}

async function counted(scene: Scene, i: number, asked: Asked): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  scene.count(`status ${await ask(node, address(i % 20), asked)}`);
}

/** Bytes as they are, for what no client would send. */
async function raw(scene: Scene, i: number, text: string): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const socket = await scene.open(node.adminPort, address(i % 20));
  socket.once("data", (bytes) => scene.count(`raw ${bytes.toString("latin1").slice(9, 12)}`));
  socket.write(text);
  await scene.sleep(500);
  socket.destroy();
}

function odd(scene: Scene, i: number, turn: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const authorization = `Bearer ${node.token}`;
  const json = { authorization, "content-type": "application/json" };
  const put = (path: string, body: string): Asked => ({ path, method: "PUT", headers: json, body });
  const asked: readonly (Asked | string)[] = [
    { path: "/v1/status", headers: { authorization, host: "evil.example" } },
    { path: "/v1/status", headers: { authorization, origin: "http://evil.example" } },
    { path: "/v1/binlogs/..%2f..%2fadmin-token/raw", headers: { authorization } },
    { path: "/v1/binlogs/%2e%2e%2fdata/raw", headers: { authorization } },
    put("/v1/accounts/x", '{"__proto__":{"a":1}}'),
    put("/v1/accounts/x", "[".repeat(30_000)),
    put("/v1/accounts/x", "{"),
    put("/v1/accounts/x", `{"sha2":${"9".repeat(20_000)}}`),
    put("/v1/accounts/x", "x".repeat(70_000)),
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
    "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    `GET /${"a".repeat(30_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    "\u0016\u0003\u0001\u0002\0\u0001\0\u0001",
  ];
  const one = asked[turn % asked.length]!;
  return typeof one === "string" ? raw(scene, i, one) : counted(scene, i, one);
}

export const ADMIN: readonly Attack[] = [
  {
    name: "admin-rush",
    says: "1,000 requests at a time with the token, on connections of their own, over all routes",
    covers: "12",
    run: (scene) =>
      scene.crowd(1_000, 100, (i) => {
        const { token } = scene.nodes[i % scene.nodes.length]!;
        const path = ROUTES[Math.floor(i / scene.nodes.length) % ROUTES.length]!;
        return counted(scene, i, { path, headers: { authorization: `Bearer ${token}` } });
      }),
  },
  {
    name: "wrong-tokens",
    says: "100 clients that try one token after the other, from 20 addresses",
    covers: "held: constant time; d6",
    run: (scene) => {
      let n = 0;
      return scene.crowd(100, 10, (i) => {
        const authorization = `Bearer ${String(n++).padStart(64, "0")}`;
        return counted(scene, i, { path: "/v1/status", headers: { authorization } });
      });
    },
  },
  {
    name: "odd-requests",
    says: "20 clients with foreign Host and Origin headers, paths that climb, smuggled requests and hostile JSON",
    covers: "13, held: traversal, Host and Origin checks, smuggling, JSON cases",
    run: (scene) => {
      let turn = 0;
      return scene.crowd(20, 20, (i) => odd(scene, i, turn++));
    },
  },
];
