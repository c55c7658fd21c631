/** Some seeds of whole nodes; `npm run sim -- --nodes` runs as many as you like. */
import { testSeeds } from "./nodes/seeds.ts";

testSeeds(401);
