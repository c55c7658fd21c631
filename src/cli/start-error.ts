/** Why a node did not start, or had to end: the system's error as a sentence with what to do. */
import { BinraftError } from "../base/errors.ts";
import { DiskError } from "../platform/disk.ts";
import { NetError } from "../platform/net.ts";

export function describeStartError(error: unknown): BinraftError {
  if (error instanceof BinraftError) return error;
  const cause = { cause: error };
  if (error instanceof NetError) return describeNetError(error);
  if (error instanceof DiskError) return describeDiskError(error);
  const message = error instanceof Error ? error.message : String(error);
  // By name: these are thrown deep inside the storage, which the command line does not import.
  const name = error instanceof Error ? error.name : "";
  if (name === "LogCorrupt") {
    return new BinraftError("BR1201", message, "binraft log verify shows the extent", cause);
  }
  if (name === "FormationRefused") return new BinraftError("BR1106", message, "", cause);
  if (name === "UnknownFormat") return new BinraftError("BR1202", message, "", cause);
  if (name === "LogFull")
    return new BinraftError("BR1203", message, "free space, then start again", cause);
  return new BinraftError(
    "BR1105",
    `The node could not start: ${message}`,
    "--debug shows where it came from",
    cause,
  );
}

function describeNetError(error: NetError): BinraftError {
  const cause = { cause: error };
  // "Cannot listen on 127.0.0.1:3307: listen EADDRINUSE: address already in use …"
  const what = error.message.split(": listen ")[0]!;
  if (error.code === "EADDRINUSE") {
    const next =
      "stop what listens there, or set another address (listen.mysql, listen.peer, listen.admin)";
    return new BinraftError("BR1102", `${what}: the address is in use`, next, cause);
  }
  const next = "listen on an address of this machine and a port above 1023";
  return new BinraftError("BR1103", `${what}: ${error.code}`, next, cause);
}

function describeDiskError(error: DiskError): BinraftError {
  const cause = { cause: error };
  switch (error.code) {
    case "ELOCKED":
      return new BinraftError("BR1101", error.message, "", cause);
    case "ENOSPC":
    case "EDQUOT":
      return new BinraftError(
        "BR1203",
        `The disk is full: ${error.message}`,
        "free space, then start again",
        cause,
      );
    default: {
      const next = "correct node.data_dir, or the owner and mode (0700) of the directory";
      return new BinraftError("BR1104", error.message, next, cause);
    }
  }
}

/** The log failed while the node ran. */
export function describeFatal(error: Error): BinraftError {
  if (error instanceof BinraftError) return error;
  return new BinraftError(
    "BR1204",
    `The node ends, since its log can no longer be written: ${error.message}`,
    "check the disk and the kernel's log; a restart reads what is really on the disk",
    { cause: error },
  );
}
