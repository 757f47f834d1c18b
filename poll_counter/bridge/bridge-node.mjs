// The bridge in a Node.js process of its own; PollCounter's NodeHost starts and ends it:
//
//     node bridge-node.mjs                  the configuration is the first line of stdin, and the
//                                           process ends with stdin: so it never outlives the app
//     node bridge-node.mjs --config FILE    for a process that somebody else looks after
//
// The configuration is one JSON object:
//
//     url        the counter's address, with its token: keep the file to yourself (mode 0600)
//     folder     the app's folder; packages are looked for in its node_modules
//     sdk        packages, or modules by ./path, that together have the SDK's functions
//     configure  what to call the SDK's configure() with
//     storage    a file for localStorage, in which SDKs keep their device id; or null

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Script, constants } from "node:vm";

import { FUNCTIONS, bridge } from "./bridge.mjs";
import { FileStorage } from "./storage.mjs";

process.on("uncaughtException", (error) => {
  const words = String(error instanceof Error ? error.message : error).split("\n")[0];
  process.stderr.write(`${words}\n`, () => process.exit(1)); // not before the words are out
});

const [flag, file] = process.argv.slice(2);
const { url, folder, sdk, configure, storage } = JSON.parse(
  flag === "--config" ? readFileSync(file, "utf8") : await firstLine(),
);
provide("localStorage", new FileStorage(storage));
provide("sessionStorage", new FileStorage(null));
const load = loader(folder);
if (!globalThis.WebSocket) provide("WebSocket", await webSocket());
bridge(await gather(sdk), { url, configure });

/** Read the configuration; from then on this process lives as long as whoever wrote it. */
async function firstLine() {
  const lines = createInterface({ input: process.stdin });
  lines.on("close", () => process.exit(0));
  return (await once(lines, "line"))[0];
}

/** An import() that looks for packages where the app is, as a module in its folder would. */
function loader(from) {
  const loading = constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  if (!loading) {
    throw new Error(`Node.js ${process.versions.node} is too old; install 22 or newer (or 20.12)`);
  }
  return new Script("(name) => import(name)", {
    filename: join(from, "app.mjs"),
    importModuleDynamically: loading,
  }).runInThisContext();
}

async function webSocket() {
  try {
    return (await load("ws")).WebSocket;
  } catch {
    throw new Error(
      `Node.js ${process.versions.node} has no WebSocket; install 22 or newer, ` +
        `or the package ws in ${folder}`,
    );
  }
}

/** The SDK's functions, of whichever package has them. */
async function gather(packages) {
  const found = {};
  for (const name of packages) {
    const { default: whole, ...parts } = await load(name);
    for (const each of ["configure", "getEvents", ...FUNCTIONS]) {
      const value = parts[each] ?? whole?.[each]; // a CommonJS package may have one export alone
      if (value) found[each] ??= value;
    }
  }
  return found;
}

function provide(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
