// Exchanges messages with the page around this one, which is of another origin: an object of its window must not get into
// Python, since whatever reads one of its properties throws.

/** Return a target whose events `told` are the messages that other windows send to this one.
 *
 * Their `detail` has the sender's `origin`, empty if it is not the page around this one, and the message as JSON as
 * `text`, empty if it has more than `maxLength` characters. */
export function listenToParent(maxLength) {
  const target = new EventTarget();
  addEventListener("message", ({ source, origin, data }) => {
    const fromParent = source === window.parent && source !== window;
    let text = "";
    try {
      text = (fromParent && JSON.stringify(data)) || "";
    } catch {} // It has a cycle, or a number that JSON does not have.
    const detail = { origin: fromParent ? origin : "", text: text.length > maxLength ? "" : text };
    target.dispatchEvent(new CustomEvent("told", { detail }));
  });
  return target;
}

/** Send a message to the page around this one, if it has this origin. */
export const tellParent = (text, origin) => window.parent.postMessage(JSON.parse(text), origin);
