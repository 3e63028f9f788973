// Runs a signaling client over a sequence of WebSockets.
import { SUBPROTOCOL } from "./signaling.mjs";

export const now = () => performance.now() / 1000;

// Returns the function that carries out a client's results. handle: called with each result that is no effect of the
// connection; store: called with the text of the identity, or null. Throws TypeError where no socket can ever be made.
export function makeLink(client, url, WebSocket, handle, store) {
  if (!WebSocket || !url.startsWith("ws")) throw new TypeError("No WebSocket.");
  let socket;
  let timer;

  function discard(code, reason) {
    clearTimeout(timer);
    const discarded = socket;
    socket = null;
    discarded?.close(code, reason);
  }

  function open() {
    let opened;
    try {
      opened = socket = new WebSocket(url, SUBPROTOCOL);
    } catch {
      // Such as a policy of the page that forbids the address.
      return perform(client.socketClosed(1006, "", now()));
    }
    // The events of a socket that was discarded are ignored.
    const listen = (type, react) => opened.addEventListener(type, (event) => socket === opened && perform(react(event)));
    listen("open", () => client.socketOpened(now()));
    listen("message", ({ data }) => (typeof data === "string" ? client.frameReceived(data, now()) : []));
    listen("close", ({ code, reason }) => {
      socket = null;
      return client.socketClosed(code, reason, now());
    });
  }

  function perform(results) {
    for (const result of results) {
      const { type } = result;
      if (type === "send-frame") socket?.send(result.text);
      else if (type === "close-socket") discard(result.code, result.reason);
      else if (type === "store-identity") store(result.text);
      else if (type === "connect-after") {
        discard(1000, "");
        timer = setTimeout(open, result.seconds * 1000);
      } else handle(result);
    }
  }

  return perform;
}
