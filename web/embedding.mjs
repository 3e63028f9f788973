// Exchanges messages with the page around this one, which is of another origin: an object of its window must not get into
// Python, since whatever reads one of its properties throws.

/** Call `receive` with the sender's origin, empty if it is not the page around this one, and with the message as JSON. */
export function listenToParent(receive, maxLength) {
  addEventListener("message", ({ source, origin, data }) => {
    const fromParent = source === window.parent && source !== window;
    let text = "";
    try {
      text = (fromParent && JSON.stringify(data)) || "";
    } catch {} // It has a cycle, or a number that JSON does not have.
    receive(fromParent ? origin : "", text.length > maxLength ? "" : text);
  });
}

/** Send a message to the page around this one, if it has this origin. */
export const tellParent = (text, origin) => window.parent.postMessage(JSON.parse(text), origin);
