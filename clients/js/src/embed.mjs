// Puts the call page into another page, and talks with it: docs/embedding.md.

// The version of the messages.
const VERSION = 1;

// Milliseconds between two greetings, until the call page, which loads for a while, has answered.
const GREET_EVERY = 250;

// Greetings without an answer, after which the call page counts as absent.
const MOST_GREETINGS = 120;

// Milliseconds between two greetings after that: a slow network may still bring the call page.
const GREET_LATER = 5000;

// What the page in the frame may be allowed to use; the browser asks the person for what is asked for.
const ALLOW = ["camera", "microphone", "display-capture", "fullscreen", "autoplay", "clipboard-write", "picture-in-picture", "screen-wake-lock", "speaker-selection"];

const PARAMETERS = ["name", "microphone", "camera", "preview", "language", "token"];

/** Returns the address of the call page for a session, which may be empty, with the parameters of the options. */
export function callAddress(server, session = "", options = {}) {
  const url = new URL(server);
  // What follows the id in a pasted link was chosen by whoever made it, and must not take the place of the options.
  let fragment = (session ?? "").split("&")[0];
  for (const name of PARAMETERS) {
    const value = options[name];
    if (value === false) fragment += `&${name}=off`;
    // A token is of characters that need no encoding, and is read as it stands.
    else if (typeof value === "string" && value) fragment += `&${name}=${name === "token" ? value : encodeURIComponent(value)}`;
  }
  url.hash = fragment;
  return url.href;
}

/** A call in a frame. Its events are those of the call page, with their keys in `detail`. */
export class EmbeddedCall extends EventTarget {
  #origin;
  #timer = 0;
  #leave = new AbortController();

  constructor(element, server, options = {}) {
    super();
    const { session, title = "Call", ...parameters } = options;
    this.ready = false;
    this.state = { state: "loading", session: "", role: "", link: "", outcome: "" };
    this.members = [];
    this.media = { microphone: false, camera: false, screen: false };
    this.devices = { camera: [], microphone: [], speaker: [] };
    this.#origin = new URL(server).origin;
    this.frame = document.createElement("iframe");
    this.frame.allow = ALLOW.map((feature) => `${feature} ${this.#origin}`).join("; ");
    this.frame.title = title;
    this.frame.style.border = "0";
    this.frame.src = callAddress(server, session, parameters);
    const { signal } = this.#leave;
    globalThis.addEventListener("message", (event) => this.#receive(event), { signal });
    // Also when the page in the frame was loaded again: it knows nothing of an earlier greeting.
    this.frame.addEventListener("load", () => this.#greet(), { signal });
    element.append(this.frame);
  }

  /** Joins this session, or that of the frame's address; opens one where neither names any. */
  join({ session = "", name = "", password = "" } = {}) {
    this.#send({ type: "join", session, name, password });
  }

  hangUp() {
    this.#send({ type: "hang-up" });
  }

  setMicrophone(on) {
    this.#send({ type: "microphone", on });
  }

  setCamera(on) {
    this.#send({ type: "camera", on });
  }

  /** Uses a device of a kind, `camera`, `microphone` or `speaker`, by its id in `devices`. */
  chooseDevice(kind, device) {
    this.#send({ type: "choose-device", kind, device });
  }

  /** Removes the frame; the others see the person leave some seconds later, unless `hangUp` came before. */
  remove() {
    clearTimeout(this.#timer);
    this.#leave.abort();
    this.frame.remove();
  }

  #send(message) {
    // The browser passes it on only if the page in the frame still is of this origin.
    this.frame.contentWindow?.postMessage({ signald: VERSION, ...message }, this.#origin);
  }

  #greet(times = 1) {
    this.ready = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#greet(times + 1), times > MOST_GREETINGS ? GREET_LATER : GREET_EVERY);
    this.#send({ type: "hello" });
    if (times === MOST_GREETINGS + 1) {
      // The server cannot be reached, or does not let this page show it.
      const detail = { about: "frame", code: "no-answer", message: "" };
      this.dispatchEvent(new CustomEvent("error", { detail }));
    }
  }

  #receive({ source, origin, data }) {
    if (source !== this.frame.contentWindow || origin !== this.#origin) return;
    if (typeof data !== "object" || data?.signald !== VERSION || typeof data.type !== "string") return;
    const { signald, type, ...detail } = data;
    if (type === "ready") {
      clearTimeout(this.#timer);
      this.ready = true;
    } else if (type === "state") this.state = detail;
    else if (type === "members") this.members = detail.members;
    else if (type === "media") this.media = detail;
    else if (type === "devices") this.devices = detail.devices;
    else if (type !== "error") return;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Puts a call into an element, and returns it. */
export const embed = (element, server, options) => new EmbeddedCall(element, server, options);
