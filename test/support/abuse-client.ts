/**
 * The process of one attack: `abuse-client.ts NAME TARGET`. It ends when its standard input does, and says
 * then what became of its tries, as JSON.
 */
import { type AbuseTarget, Scene } from "./abuse-attack.ts";
import { attackNamed } from "./abuse-attacks.ts";

const [name = "", target = "{}"] = process.argv.slice(2);
const stopping = new AbortController();
const scene = new Scene(JSON.parse(target) as AbuseTarget, stopping.signal);

function end(): void {
  stopping.abort();
  process.stdout.write(`${JSON.stringify(Object.fromEntries(scene.counts))}\n`, () =>
    process.exit(0),
  );
}

process.stdin.resume();
process.stdin.once("end", end);
// What an attack leaves behind is nobody's concern; that it goes on is.
process.on("uncaughtException", (error) => scene.count(`uncaught: ${error.message.slice(0, 60)}`));
process.on("unhandledRejection", (error) =>
  scene.count(`unhandled: ${String(error).slice(0, 60)}`),
);
process.stdout.write("begun\n");
await attackNamed(name).run(scene);
