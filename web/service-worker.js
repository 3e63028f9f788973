// Caches the page's files, so that it opens offline; a call needs the network.
const ROOT = new URL("./", location).pathname; // The page's path, which is the folder of this file.
const OWN = `signald ${ROOT} `; // Other programs of the origin have caches too, also signald under another path.
const CACHE = OWN + "{{#index.html}}"; // The hash changes with every file that the page refers to.
const SHELL = [
  "./",
  "{{style.css}}",
  "{{icon.svg}}",
  "{{features.js}}",
  "{{boot.mjs}}",
  "{{loading.mjs}}",
  "{{vendor/micropython.mjs}}",
  "{{vendor/micropython.wasm}}",
  "{{bundle.bin}}",
];

const withCache = (action) => caches.open(CACHE).then(action);

addEventListener("install", (event) => event.waitUntil(withCache((cache) => cache.addAll(SHELL))));

/** Return whether a cache is this page's; version 0.1.0 named its caches, below `/` alone, by the hash. */
async function isOwn(name) {
  if (ROOT !== "/" || !/^[0-9a-f]{16}$/.test(name)) return name.startsWith(OWN);
  return (await (await caches.open(name)).keys()).some(({ url }) => /\/assets\/micropython\.[0-9a-f]{16}\.wasm$/.test(url));
}

addEventListener("activate", (event) => {
  const deleteOld = async (name) => name !== CACHE && (await isOwn(name)) && caches.delete(name);
  event.waitUntil(caches.keys().then((names) => Promise.all(names.map(deleteOld))));
});

addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (pathname === ROOT) event.respondWith(page(event.request));
  else if (pathname.startsWith(`${ROOT}assets/`)) event.respondWith(asset(event));
});

// Navigation preload stays off, because Firefox 153 fails the navigation when its preload fails.
/** Return the server's page; without the server the cached one, marked as offline. */
async function page(request) {
  try {
    return await fetch(request);
  } catch {
    const cached = await withCache((cache) => cache.match("./"));
    const text = await cached.text();
    return new Response(text.replace("<html", "<html data-offline"), { headers: cached.headers });
  }
}

/** Return a file whose name changes with its contents, and cache it on its first use. */
async function asset(event) {
  const cached = await withCache((cache) => cache.match(event.request.url));
  if (cached) return cached;
  const reply = await fetch(event.request);
  const copy = reply.clone();
  if (reply.ok) event.waitUntil(withCache((cache) => cache.put(event.request.url, copy)));
  return reply;
}
