// Plays scripted exchanges with the page's client, in the page's MicroPython and from the page's bundles:
// `node play_page.mjs MICROPYTHON.mjs play.py BUNDLE...`, scripts on standard input.
import { readFileSync } from "node:fs";

const [runtime, player, ...bundles] = process.argv.slice(2);
const { loadMicroPython } = await import(runtime);

function attempt(action) {
  try {
    return { ok: true, value: action() ?? null };
  } catch (error) {
    return { ok: false, name: String(error?.name ?? "Error"), message: String(error?.message ?? error) };
  }
}

const scripts = readFileSync(0, "utf8");
let played = null;
// What the page's module `bridge` needs of the page to encode and decode JSON.
const shim = {
  window: globalThis,
  call: (target, method, ...args) => attempt(() => target[method](...args)),
  get: (target, name) => attempt(() => target[name]),
  scripts: () => scripts,
  finish: (text) => void (played = text),
};

const python = await loadMicroPython({ heapsize: 64 << 20, pystack: 65536, stderr: (line) => console.error(line) });
python.registerJsModule("shim", shim);
for (const bundle of bundles) {
  const bytes = readFileSync(bundle);
  let from = bytes.indexOf(10) + 1;
  for (const [path, size] of JSON.parse(bytes.subarray(0, from))) {
    const place = `/lib/${path}`;
    python.FS.mkdirTree(place.slice(0, place.lastIndexOf("/")));
    python.FS.writeFile(place, bytes.subarray(from, (from += size)));
  }
}
python.FS.writeFile("/lib/play.py", readFileSync(player));
python.runPython(`
import json, shim
from signald_page.client.browser.bridge import BrowserJson
from play import play
shim.finish(json.dumps(play(json.loads(shim.scripts()), BrowserJson())))
`);
process.stdout.write(played);
