// Starts the page: fetches MicroPython and the page's Python side by side, and gives Python the shim.
// A JavaScript exception must never pass through MicroPython's frames: it could not be caught there and would damage
// the interpreter. So Python calls whatever may throw through the shim, which hands the exception over as a value.
import { loadMicroPython } from "{{vendor/micropython.mjs}}";

const page = (globalThis.signald = { marks: { js: performance.now() }, log: [] });

/** Offer a reload: the interpreter, or what the page knows of itself, is damaged. */
function broken(reason) {
  page.log.push(String(reason));
  const shown = document.documentElement.dataset;
  // A call that is under way may go on: it needs no Python.
  if (shown.state === "loading") {
    shown.state = "failed";
    document.querySelector("main").hidden = true;
  }
  const offer = document.getElementById("broken");
  offer.hidden = false;
  offer.querySelector("button").onclick = () => location.reload();
}

function attempt(deed) {
  try {
    return { ok: true, value: deed() ?? null };
  } catch (error) {
    return { ok: false, name: String(error?.name ?? "Error"), message: String(error?.message ?? error) };
  }
}

/** Fetch a file of the page; as bytes. */
async function fetched(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${reply.status} ${url}`);
  return new Uint8Array(await reply.arrayBuffer());
}

/** Write the files of a bundle to where Python imports from. */
function unpack(python, bytes) {
  let from = bytes.indexOf(10) + 1; // behind the first line, which is the index
  const folders = new Set();
  for (const [path, size] of JSON.parse(new TextDecoder().decode(bytes.subarray(0, from)))) {
    const [, folder, name] = /^(.*?)([^/]*)$/.exec(`/lib/${path}`);
    if (!folders.has(folder)) folders.add(folder) && python.FS.mkdirTree(folder);
    // Without a copy (the last argument), and in half the time that writing takes.
    python.FS.createDataFile(folder, name, bytes.subarray(from, (from += size)), true, true, true);
  }
}

/** Fetch what no call needs: how it looks, and its modules. */
async function fetchExtras() {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "{{extras.css}}" });
  const styled = new Promise((done, failed) => Object.assign(style, { onload: done, onerror: () => failed(new Error("style")) }));
  document.head.append(style);
  try {
    unpack(python, (await Promise.all([fetched("{{extras.bin}}"), styled]))[0]);
  } catch (error) {
    style.remove();
    throw error;
  }
}

let python, extras;
const shim = {
  window: globalThis,
  call: (target, method, ...args) => attempt(() => target[method](...args)),
  // By name: a class comes back from Python wrapped, and is no constructor any more.
  construct: (name, ...args) => attempt(() => new globalThis[name](...args)),
  callStatic: (name, method, ...args) => attempt(() => globalThis[name][method](...args)),
  get: (target, name) => attempt(() => target[name]),
  put: (target, name, value) => attempt(() => void (target[name] = value)),
  // As text: numbers of more than 32 bits do not cross into Python otherwise. No more than is wanted: Python is slow.
  entries: (report, types, keys) => JSON.stringify([...report.values()].filter((entry) => types.includes(entry.type)), keys),
  // Once: the second who asks waits for the same.
  extras: () => (extras ??= fetchExtras().catch((error) => ((extras = null), Promise.reject(error)))),
  qr: () => import("{{vendor/lean-qr.mjs}}"),
  text: (event, most) => (typeof event.data === "string" && event.data.length <= most ? event.data : null),
  loudness: (analyser, samples) => (analyser.getFloatTimeDomainData(samples), Math.hypot(...samples) / Math.sqrt(samples.length)),
  mark: (name) => void (page.marks[name] = performance.now()),
  broken,
};

addEventListener("error", (event) => {
  // What a browser extension does wrong is not the page's.
  if (!/-extension:/.test(event.filename)) broken(event.message);
});

try {
  const bundle = fetched("{{bundle.bin}}");
  python = await loadMicroPython({
    url: "{{vendor/micropython.wasm}}",
    heapsize: 2 << 20, // bytes
    pystack: 32768, // bytes
    stderr: (line) => void (page.log.push(line), console.error(line)),
  });
  python.registerJsModule("shim", shim);
  python.runPython("import shim\nshim.mark('python')");
  unpack(python, await bundle);
  python.runPython("from signald_page.client.browser import main\nmain.start()");
} catch (error) {
  broken(error);
  throw error;
}
