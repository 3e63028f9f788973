// Starts the page: fetches MicroPython and the page's Python in parallel, and registers the shim for Python.
// A JavaScript exception must never pass through MicroPython's frames: Python cannot catch it, and it damages the
// interpreter. So Python calls everything that may throw through the shim, which returns the exception as a value.
import { addressOf, fetchBytes, hideScreen, loadPatiently } from "{{loading.mjs}}";

const page = (globalThis.signald = { marks: { js: performance.now() }, log: [] });

/** Offer a reload, because the interpreter or the page's state is damaged. */
function broken(reason) {
  page.log.push(String(reason));
  // The rest stays visible during a call, whose connections may go on without Python.
  if (document.documentElement.dataset.state === "loading") hideScreen();
  const offer = document.getElementById("broken");
  offer.hidden = false;
  offer.querySelector("button").onclick = () => location.reload();
}

/** Return the outcome of a function as a value, whether it returns or throws. */
function attempt(action) {
  try {
    return { ok: true, value: action() ?? null };
  } catch (error) {
    return { ok: false, name: String(error?.name ?? "Error"), message: String(error?.message ?? error) };
  }
}

/** Write the files of a bundle to the folder from which Python imports. */
function unpack(python, bytes) {
  let from = bytes.indexOf(10) + 1; // The first line is the index; the files follow it.
  const folders = new Set();
  for (const [path, size] of JSON.parse(new TextDecoder().decode(bytes.subarray(0, from)))) {
    const [, folder, name] = /^(.*?)([^/]*)$/.exec(`/lib/${path}`);
    if (!folders.has(folder)) folders.add(folder) && python.FS.mkdirTree(folder);
    // Without a copy (the last argument), this takes half the time of writing the file.
    python.FS.createDataFile(folder, name, bytes.subarray(from, (from += size)), true, true, true);
  }
}

/** Fetch the style sheet and the modules of the features that are loaded on demand. */
async function fetchExtras() {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: addressOf("{{extras.css}}") });
  const styled = new Promise((done, failed) => Object.assign(style, { onload: done, onerror: () => failed(new Error("style")) }));
  document.head.append(style);
  try {
    unpack(python, (await Promise.all([fetchBytes("{{extras.bin}}"), styled]))[0]);
  } catch (error) {
    style.remove();
    throw error;
  }
}

let python, extras, calls;
const shim = {
  window: globalThis,
  call: (target, method, ...args) => attempt(() => target[method](...args)),
  // By name, because a class that passed through Python is wrapped and no longer a constructor.
  construct: (name, ...args) => attempt(() => new globalThis[name](...args)),
  callStatic: (name, method, ...args) => attempt(() => globalThis[name][method](...args)),
  get: (target, name) => attempt(() => target[name]),
  put: (target, name, value) => attempt(() => void (target[name] = value)),
  // As text, because numbers of more than 32 bits do not cross into Python; reduced here, because Python is slow.
  entries: (report, types, keys) => JSON.stringify([...report.values()].filter((entry) => types.includes(entry.type)), keys),
  // Fetched once: later callers wait for the same promise, and a failure is forgotten.
  extras: () => (extras ??= fetchExtras().catch((error) => ((extras = null), Promise.reject(error)))),
  calls: () => (calls ??= fetchBytes("{{call.bin}}").then((bytes) => unpack(python, bytes)).catch((error) => ((calls = null), Promise.reject(error)))),
  qr: () => import("{{vendor/lean-qr.mjs}}"),
  embedding: () => import("{{embedding.mjs}}"),
  text: (event, maxLength) => (typeof event.data === "string" && event.data.length <= maxLength ? event.data : null),
  loudness: (analyser, samples) => (analyser.getFloatTimeDomainData(samples), Math.hypot(...samples) / Math.sqrt(samples.length)),
  // Takes a Web Lock, which is held until the page is gone, also by a crash; resolves to whether it was free.
  lock: (name) => new Promise((done) => navigator.locks.request(name, { ifAvailable: true }, (lock) => (done(!!lock), lock && new Promise(() => {})))),
  embedded: () => window.top !== window.self,
  mark: (name) => void (page.marks[name] = performance.now()),
  broken,
};

addEventListener("error", (event) => {
  // Extensions' errors are not the page's; a ResizeObserver's event is none (WebKit: a panel opens beside a call).
  if (!/-extension:/.test(event.filename) && !/^ResizeObserver loop/.test(event.message)) broken(event.message);
});

/** Return the bundle of the page's Python, and MicroPython, which has nothing of it yet. */
async function load(attempt) {
  // A browser remembers by its whole address, fragment included, that a module could not be loaded.
  const module = import("{{vendor/micropython.mjs}}" + (attempt ? `#${attempt}` : ""));
  const started = module.then(({ loadMicroPython }) =>
    loadMicroPython({
      url: addressOf("{{vendor/micropython.wasm}}"),
      heapsize: 2 << 20, // bytes
      pystack: 32768, // bytes
      stderr: (line) => void (page.log.push(line), console.error(line)),
    }),
  );
  return Promise.all([fetchBytes("{{bundle.bin}}"), started]);
}

try {
  // Otherwise `features.js` has told the person what is missing.
  const loaded = document.getElementById("unsupported").hidden && (await loadPatiently(load, page.log));
  if (loaded) {
    python = loaded[1];
    python.registerJsModule("shim", shim);
    python.runPython("import shim\nshim.mark('python')");
    unpack(python, loaded[0]);
    python.runPython("from signald_page.client.browser import main\nmain.start()");
  }
} catch (error) {
  broken(error);
  throw error;
}
