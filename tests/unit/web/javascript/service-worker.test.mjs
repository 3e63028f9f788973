// The service worker in a browser of the test's own: WORKER names its file, as it is served.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { runInNewContext } from "node:vm";

const SOURCE = readFileSync(process.env.WORKER, "utf8");
const ORIGIN = "https://example.org";

let stores, online;

function respond(url) {
  const type = new URL(url).pathname.endsWith("/") ? "text/html" : "text/plain";
  return new Response(`<html>${url}`, { headers: { "Content-Type": type } });
}

async function fetch(request) {
  if (!online) throw new TypeError("no network");
  return respond(request.url);
}

// The caches of the origin (Service Workers, "Cache"): by name, and in each the responses by URL.
function cachesFor(base) {
  const urlOf = (request) => new URL(request.url ?? request, base).href;
  return {
    keys: async () => [...stores.keys()],
    delete: async (name) => stores.delete(name),
    open: async (name) => {
      if (!stores.has(name)) stores.set(name, new Map());
      const store = stores.get(name);
      return {
        keys: async () => [...store.keys()].map((url) => ({ url })),
        addAll: async (requests) => requests.forEach((one) => store.set(urlOf(one), respond(urlOf(one)))),
        put: async (request, response) => void store.set(urlOf(request), response),
        match: async (request) => store.get(urlOf(request))?.clone(),
      };
    },
  };
}

/** Run the worker as it is served below a path, and return a function that sends it an event. */
function startWorker(path) {
  const listeners = {};
  const location = new URL(`${path}service-worker.js`, ORIGIN);
  const scope = { location, URL, Response, fetch, caches: cachesFor(location), addEventListener: (type, listener) => (listeners[type] = listener) };
  runInNewContext(SOURCE, scope);
  return async (type, fields = {}) => {
    const waiting = [];
    let response;
    listeners[type]({ ...fields, waitUntil: (promise) => waiting.push(promise), respondWith: (promise) => (response = promise) });
    const answer = await response;
    await Promise.all(waiting);
    return answer;
  };
}

async function install(path) {
  const send = startWorker(path);
  await send("install");
  await send("activate");
  return send;
}

const get = (send, url) => send("fetch", { request: { method: "GET", url: new URL(url, ORIGIN).href } });

beforeEach(() => {
  stores = new Map();
  online = true;
});

test("the cache's name and its entries begin with the path of the page", async () => {
  for (const path of ["/", "/calls/", "/a/b/"]) {
    await install(path);
    const [name] = [...stores.keys()].filter((one) => one.startsWith(`signald ${path} `));
    assert.match(name, / [0-9a-f]{16}$/);
    for (const url of stores.get(name).keys()) assert.ok(url.startsWith(ORIGIN + path), url);
    assert.ok(stores.get(name).has(ORIGIN + path));
  }
  assert.equal(stores.size, 3);
});

test("a worker deletes older caches of its own page, and no other cache of the origin", async () => {
  const others = ["old", "0123456789abcdef", "signald", "signald /", "signald /calls 1", "signald /calls/b/ 1", "signald / 1"];
  for (const name of [...others, "signald /calls/ 1", "signald /calls/ 0123456789abcdef"]) stores.set(name, new Map());
  stores.set("fedcba9876543210", new Map([[`${ORIGIN}/assets/micropython.0123456789abcdef.wasm`, respond(`${ORIGIN}/`)]]));
  await install("/calls/");
  const left = [...stores.keys()].filter((name) => !/^signald \/calls\/ [0-9a-f]{16}$/.test(name));
  assert.deepEqual(left, [...others, "fedcba9876543210"]);
  assert.equal(stores.size, left.length + 1);
});

test("the worker at the root deletes the caches of version 0.1.0, which had no other names", async () => {
  stores.set("fedcba9876543210", new Map([[`${ORIGIN}/assets/micropython.0123456789abcdef.wasm`, respond(`${ORIGIN}/`)]]));
  stores.set("0123456789abcdef", new Map([[`${ORIGIN}/shop.js`, respond(`${ORIGIN}/`)]]));
  await install("/");
  assert.deepEqual([...stores.keys()].map((name) => name.replace(/ [0-9a-f]{16}$/, "")), ["0123456789abcdef", "signald /"]);
});

test("the worker answers for its own page and its assets alone", async () => {
  const send = await install("/calls/");
  for (const url of ["/calls/", "/calls/?a", "/calls/assets/new.mjs"]) assert.ok(await get(send, url), url);
  for (const url of ["/", "/assets/new.mjs", "/calls/ws", "/calls/b/", "/calls/schema/", "https://example.com/calls/"]) {
    assert.equal(await get(send, url), undefined, url);
  }
  assert.equal(await send("fetch", { request: { method: "HEAD", url: `${ORIGIN}/calls/` } }), undefined);
});

test("without a network the page comes from the cache, and says that it is offline", async () => {
  const send = await install("/calls/");
  await get(send, "/calls/assets/used.mjs");
  online = false;
  assert.equal(await (await get(send, "/calls/?a")).text(), `<html data-offline>${ORIGIN}/calls/`);
  assert.equal(await (await get(send, "/calls/assets/used.mjs")).text(), `<html>${ORIGIN}/calls/assets/used.mjs`);
  await assert.rejects(get(send, "/calls/assets/unused.mjs"));
});
