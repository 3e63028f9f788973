// Keeps what the page consists of, so that it opens without a network; a call needs one.
const KEPT = "{{#index.html}}"; // changes with everything that the page refers to
const SHELL = [
  "/",
  "{{style.css}}",
  "{{icon.svg}}",
  "{{boot.mjs}}",
  "{{vendor/micropython.mjs}}",
  "{{vendor/micropython.wasm}}",
  "{{bundle.bin}}",
];

const keep = (deed) => caches.open(KEPT).then(deed);

addEventListener("install", (event) => event.waitUntil(keep((kept) => kept.addAll(SHELL))));

addEventListener("activate", (event) => {
  const forget = (names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(forget));
});

addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (pathname === "/") event.respondWith(page(event.request));
  else if (pathname.startsWith("/assets/")) event.respondWith(asset(event));
});

// Without navigation preload: in Firefox 153 a preload that fails is the end of it.
/** The page as the server has it; without the server as it was, and told so. */
async function page(request) {
  try {
    return await fetch(request);
  } catch {
    const known = await keep((kept) => kept.match("/"));
    const text = await known.text();
    return new Response(text.replace("<html", "<html data-offline"), { headers: known.headers });
  }
}

/** What has a name that changes with its contents: kept once it was wanted. */
async function asset(event) {
  const known = await keep((kept) => kept.match(event.request.url));
  if (known) return known;
  const reply = await fetch(event.request);
  const copy = reply.clone();
  if (reply.ok) event.waitUntil(keep((kept) => kept.put(event.request.url, copy)));
  return reply;
}
