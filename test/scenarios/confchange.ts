/**
 * The conf change files: one configuration to the next, with what is known of each peer.
 *
 *   simple               enter-joint autoleave=true        leave-joint
 *   v1 l2                r1 v3
 *
 * The log grows by one with every directive, so that `next` tells when a progress was made.
 */
import { type Changed, Changer } from "../../src/raft/changer.ts";
import { describeConfig } from "../../src/raft/describe.ts";
import { Tracker } from "../../src/raft/tracker.ts";
import { required, toBoolean } from "./args.ts";
import { parseConfChanges } from "./conf-change-text.ts";
import { BadFile, type Directive, type Handler } from "./datadriven.ts";
import { describeProgressMap } from "./format.ts";
import { Refused, refusal } from "./refused.ts";

const WINDOW = 10;

export function confChangeHandler(): Handler {
  const tracker = new Tracker();
  let lastIndex = 0;
  return (directive) => {
    const options = { lastIndex, maxInflightMessages: WINDOW, maxInflightBytes: 0 };
    lastIndex++;
    const refused = refusal(() => {
      const { config, progress } = change(new Changer(tracker, options), directive);
      tracker.config = config;
      tracker.progress = progress;
    });
    if (refused !== null) return refused;
    return `${describeConfig(tracker.config)}\n${describeProgressMap(tracker.progress)}`;
  };
}

function change(changer: Changer, directive: Directive): Changed {
  const changes = parseConfChanges(directive.input);
  switch (directive.command) {
    case "simple":
      return changer.simple(changes);
    case "enter-joint": {
      const isAutoLeave = directive.args.length > 0 && toBoolean(required(directive, "autoleave"));
      return changer.enterJoint(isAutoLeave, changes);
    }
    case "leave-joint":
      if (changes.length > 0) throw new Refused("this command takes no input");
      return changer.leaveJoint();
    default:
      throw new BadFile(`unknown command: ${directive.command}`);
  }
}
