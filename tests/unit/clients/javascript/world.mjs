// A world without network and time: a clock, a server for one session of two, and peer connections that keep the rules of
// signaling states (RFC 9429 §3.2), so that each test decides what arrives when.
import assert from "node:assert/strict";

const realImmediate = setImmediate;

// The clock

let time = 0;
let timers = [];

function addTimer(action, delay, every) {
  const timer = { action, at: time + delay, every };
  timers.push(timer);
  return timer;
}

const removeTimer = (timer) => void (timers = timers.filter((each) => each !== timer));

Object.assign(globalThis, {
  setTimeout: (action, delay = 0) => addTimer(action, delay),
  setInterval: (action, delay) => addTimer(action, delay, delay),
  clearTimeout: removeTimer,
  clearInterval: removeTimer,
});
Object.defineProperty(globalThis, "performance", { value: { now: () => time } });

// Lets everything run that waits for no time.
export async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => realImmediate(resolve));
}

export async function elapse(seconds) {
  const end = time + seconds * 1000;
  await settle();
  for (;;) {
    const [next] = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
    if (!next) break;
    time = next.at;
    if (next.every) next.at += next.every;
    else removeTimer(next);
    next.action();
    await settle();
  }
  time = end;
}

// Peer connections

class FakeStream {
  #tracks = [];
  getTracks = () => [...this.#tracks];
  addTrack = (track) => void this.#tracks.push(track);
  removeTrack = (track) => void (this.#tracks = this.#tracks.filter((each) => each !== track));
}

export class FakePeerConnection extends EventTarget {
  static made = [];
  signalingState = "stable";
  connectionState = "new";
  localDescription = null;
  candidates = [];
  rollbacks = 0;
  generation = 0;
  failNext = null;
  #transceivers = []; // Each has the `line` of the descriptions that it is associated with; null for none.
  #lines = 0; // How many lines both sides know.
  #restart = false;
  #planned = false;

  constructor(configuration) {
    super();
    this.configuration = configuration;
    FakePeerConnection.made.push(this);
  }

  getTransceivers = () => [...this.#transceivers];

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  addTransceiver(trackOrKind, { direction }) {
    const kind = trackOrKind.kind ?? trackOrKind;
    const sender = { track: trackOrKind.kind ? trackOrKind : null, replaceTrack: async (track) => void (sender.track = track) };
    const transceiver = { sender, receiver: { track: { kind } }, direction, line: null, stop() {} };
    this.#transceivers.push(transceiver);
    this.#plan();
    return transceiver;
  }

  createDataChannel(label, options) {
    return { label, ...options };
  }

  restartIce() {
    this.#restart = true;
    this.#plan();
  }

  // W3C "check if negotiation is needed": one event in a later task, and only in the state `stable`.
  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    realImmediate(() => {
      this.#planned = false;
      const needed = !this.isNegotiated;
      if (needed && this.signalingState === "stable") this.dispatchEvent(new Event("negotiationneeded"));
    });
  }

  #check() {
    const { failNext } = this;
    this.failNext = null;
    if (failNext) throw new DOMException("It failed.", failNext);
  }

  async setLocalDescription() {
    await null;
    this.#check();
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    if (type === "offer") {
      assert.equal(this.signalingState, "stable", "an offer while another exchange is under way");
      this.signalingState = "have-local-offer";
      const unknown = this.#transceivers.filter(({ line }) => line === null);
      unknown.forEach((transceiver, index) => (transceiver.line = this.#lines + index));
      if (this.#restart) this.generation += 1;
    } else {
      this.#complete();
    }
    this.localDescription = { type, sdp: JSON.stringify({ kinds: this.kinds, generation: this.generation }) };
    this.#plan();
  }

  async setRemoteDescription({ type, sdp }) {
    await null;
    this.#check();
    const { kinds, generation } = JSON.parse(sdp);
    if (type === "offer") {
      assert.notEqual(this.signalingState, "have-remote-offer", "an offer before the answer to the one before");
      if (this.signalingState === "have-local-offer") {
        this.rollbacks += 1;
        for (const transceiver of this.#transceivers) if (transceiver.line >= this.#lines) transceiver.line = null;
      }
      this.signalingState = "have-remote-offer";
      this.generation = Math.max(this.generation, generation);
      this.#restart = false;
      kinds.forEach((kind, line) => {
        if (line >= this.#lines) this.addTransceiver(kind, { direction: "recvonly" }).line = line;
      });
    } else {
      assert.equal(this.signalingState, "have-local-offer", "an answer without an offer");
      this.#restart = false;
      this.#complete();
    }
  }

  #complete() {
    this.signalingState = "stable";
    this.#lines = this.kinds.length;
    this.#plan();
  }

  async addIceCandidate(candidate) {
    this.candidates.push(candidate?.candidate ?? null);
  }

  // The kinds of the lines of the descriptions.
  get kinds() {
    const known = this.#transceivers.filter(({ line }) => line !== null);
    return known.sort((one, other) => one.line - other.line).map(({ receiver }) => receiver.track.kind);
  }

  get isNegotiated() {
    const isKnown = this.#transceivers.every(({ line }) => line !== null);
    return this.signalingState === "stable" && isKnown && !this.#restart;
  }

  find(candidate) {
    this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate: candidate && { toJSON: () => candidate } }));
  }

  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  close() {
    this.connectionState = this.signalingState = "closed";
  }
}

export const webrtc = { RTCPeerConnection: FakePeerConnection, MediaStream: FakeStream };

// The server

const LIMITS = { "message-bytes": 65536, "messages-per-second": 100, "messages-burst": 500, "session-members": 8 };

export class FakeServer {
  sockets = [];
  received = [];
  refusal = null; // The error that a join gets.
  lobby = false; // Whether a join waits.
  isSilent = false; // Whether an open gets no reply.
  iceServers = [{ urls: ["stun:stun.example.org"] }];
  #held = null;

  get WebSocket() {
    const server = this;
    return class extends EventTarget {
      constructor() {
        super();
        this.user = `USER${server.sockets.push(this)}`;
        realImmediate(() => this.dispatchEvent(new Event("open")));
      }

      send(text) {
        server.#receive(this, JSON.parse(text));
      }

      close() {}

      welcome(content) {
        const { user } = this;
        const resumable = { secret: "secret", grace: 30, hold: 300 };
        const known = { version: 1, server: "fake", user, features: [], limits: LIMITS, "ice-servers": server.iceServers };
        this.deliver({ type: "welcome", ...known, ...resumable, ...content });
      }

      deliver(message) {
        this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
      }

      lose(code = 1006, reason = "") {
        this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
      }
    };
  }

  // From now on messages between the members wait.
  hold() {
    this.#held = [];
  }

  async release() {
    const held = this.#held;
    this.#held = null;
    for (const deliver of held) deliver();
    await settle();
  }

  count(type) {
    return this.received.filter((message) => message.type === type).length;
  }

  #receive(socket, message) {
    const { type, id, to, ...content } = message;
    this.received.push(message);
    const [host, guest] = this.sockets;
    const session = "7Q2M9RT6ZC";
    const state = { session, capacity: 2, locked: false, lobby: false, ticket: "ticket", id };
    const member = (user, role, polite, first) => ({ user, role, polite, "offers-first": first, base: 0 });
    if (type === "hello") {
      socket.welcome({ id });
    } else if (type === "open" && this.isSilent) {
      // The reply is lost.
    } else if (type === "open") {
      socket.deliver({ type: "opened", ...state });
    } else if (type === "join" && this.refusal) {
      socket.deliver({ type: "error", code: this.refusal, message: "No.", about: type, session, id });
    } else if (type === "join" && this.lobby) {
      socket.deliver({ type: "waiting", session, reason: "lobby", id });
    } else if (type === "leave") {
      realImmediate(() => socket.deliver({ type: "left", session: content.session, id }));
    } else if (type === "join") {
      const connected = !!content.connected?.includes(host.user);
      host.deliver({ type: "member-joined", session, member: member(guest.user, "guest", false, false) });
      socket.deliver({ type: "joined", ...state, role: "guest", members: [{ ...member(host.user, "host", true, true), connected }] });
    } else if (to) {
      const receiver = this.sockets.find(({ user }) => user === to);
      const deliver = () => receiver.deliver({ type, from: socket.user, ...content });
      if (this.#held) this.#held.push(deliver);
      else deliver();
    }
  }
}
