// Loads the page's files before Python can run, and loads them again if they do not arrive.

// Milliseconds before each further attempt.
const RETRY_AFTER = [500, 1000, 2000, 4000];

/** Hide the screen that waits for Python. */
export function hideScreen() {
  document.documentElement.dataset.state = "failed";
  document.querySelector("main").hidden = true;
}

/** Return the address of one of the page's files, which is beside this one; `fetch` would start from the page's. */
export const addressOf = (file) => new URL(file, import.meta.url).href;

/** Return the bytes of one of the page's files. */
export async function fetchBytes(file) {
  const reply = await fetch(addressOf(file));
  if (!reply.ok) throw new Error(`${reply.status} ${file}`);
  return new Uint8Array(await reply.arrayBuffer());
}

/** Say that the page's files did not arrive, and offer another attempt; `features.js` has chosen the language. */
function offerRetry() {
  const offer = document.getElementById("unloaded");
  hideScreen();
  offer.hidden = false;
  const retry = async () => {
    offer.hidden = true;
    try {
      // The service worker answers GET from its cache where there is no server.
      const reply = await fetch("./", { method: "HEAD", cache: "no-store" });
      if (!reply.ok) throw new Error(reply.statusText);
      location.reload(); // All files are requested anew, also those that a new version of the server has renamed.
    } catch {
      offer.hidden = false;
    }
  };
  addEventListener("online", retry);
  for (const button of offer.querySelectorAll("button")) button.onclick = retry;
}

/** Wait, but no longer than until the browser has a network again. */
const pause = (milliseconds) =>
  new Promise((done) => {
    addEventListener("online", done, { once: true });
    setTimeout(done, milliseconds);
  });

/** Return what `load` returns for the number of an attempt; null after the last one, which the page says. */
export async function loadPatiently(load, log) {
  // A style sheet that did not arrive has no rules.
  for (const link of document.querySelectorAll("link[rel=stylesheet]")) if (!link.sheet) link.replaceWith(link.cloneNode());
  for (let attempt = 0; ; attempt++) {
    try {
      return await load(attempt);
    } catch (error) {
      log.push(String(error));
      if (attempt === RETRY_AFTER.length) break;
      await pause(RETRY_AFTER[attempt]);
    }
  }
  offerRetry();
  return null;
}
