// A call in one session: enters it, keeps a peer connection with every other member, and comes back after losses.
import { makeLink, now } from "./link.mjs";
import { Member } from "./member.mjs";
import { NEGOTIATION_FAILED } from "./negotiator.mjs";
import { Rejoining } from "./rejoining.mjs";
import { findSessionId } from "./session-ids.mjs";
import { SignalingClient } from "./signaling.mjs";

const CONFIRM_SECONDS = 2; // After a resume with the membership the server names each session, mostly at once.
const EXPECTED_SECONDS = 60; // A member whom a restarted server has forgotten may come back for so long.
const MAX_UNREAD = 4096; // Events that wait for one iteration; the oldest are dropped.
const STORED = "signald "; // With the server's URL, since applications of one origin may use several servers.
const GONE = "gone";

export class RefusedError extends Error {
  name = "RefusedError";

  constructor(code, message = code) {
    super(message);
    this.code = code;
  }
}

function signalingUrl(server) {
  const { href, pathname } = new URL(server);
  // A page under a path is a folder, to which the server redirects browsers that omit the slash at its end.
  const folder = /\/([^/.]+)$/.exec(pathname)?.[1] ?? ".";
  return href.startsWith("http") ? new URL(`./${folder}/ws`, href).href.replace("http", "ws") : href;
}

// What is no object, which another program may have stored, counts as nothing, and so does a storage that is forbidden.
function readStored(storage, key) {
  try {
    const stored = JSON.parse(storage.getItem(key));
    return stored.constructor === Object ? stored : {};
  } catch {
    return {};
  }
}

export class Call extends EventTarget {
  session = null;
  role = null;
  user = null;
  hostKey = null;
  members = new Map();
  tracks = new Map(); // The local camera and microphone, by kind.
  extras = new Map(); // Further local tracks, with their streams.

  constructor({
    server = new URL(".", import.meta.url).href, name, token, agent = "signald.mjs", instance = crypto.randomUUID(),
    kinds = ["audio", "video"], channels = {}, configuration = {}, storage, random = Math.random,
    WebSocket = globalThis.WebSocket, webrtc = globalThis,
  } = {}) {
    super();
    const self = Object.assign(this, { kinds, channels, webrtc });
    const { members, tracks, extras } = this;
    const url = signalingUrl(server);
    const key = STORED + url;
    const stored = readStored(storage, key);
    const rejoining = new Rejoining(random);
    const replies = new Map();
    const readers = new Set();
    const captured = []; // Every track that `useMedia` got.
    let entryRequest = null; // The one that led into the session, or leads there.
    let entry = null; // {resolve, reject} of its promise.
    let settings = null; // What the server said of the session.
    let confirmBy = Infinity;
    let ticker, tickedAt, closed;
    this.stream = webrtc.MediaStream && new webrtc.MediaStream();
    this.stored = stored.identity ? stored.session : undefined;

    const client = new SignalingClient({
      random, token, agent, instance,
      features: ["relay-only"],
      identity: stored.identity,
      connected: () => [...members.values()].filter((member) => member.isEstablished()).map(({ user }) => user),
    });
    const perform = makeLink(client, url, WebSocket, handle, (identity) => store({ identity }));
    const send = (message) => perform(client.send(message));
    const current = () => self.session ?? entryRequest?.session; // Also while this side waits for admission.
    const ticket = () => client.ticket(self.session) ?? stored.ticket;

    function store(changes) {
      Object.assign(stored, changes);
      try {
        storage?.setItem(key, JSON.stringify(stored));
      } catch {
        // The storage is full or forbidden: the call goes on, and cannot be restored after a reload.
      }
    }

    // `detail` of the event names the member, also where the server names a user.
    function emit(event, member = members.get(event.from ?? event.user)) {
      const detail = member ? { ...event, member } : event;
      for (const { read } of readers) read(detail);
      self.dispatchEvent(new CustomEvent(event.type, { detail }));
    }

    function tick() {
      const time = now();
      const seconds = time - tickedAt;
      tickedAt = time;
      perform(client.tick(time));
      if (client.state === "ready" && time >= confirmBy) forgotten();
      const todo = rejoining.tick(time);
      if (todo === "ask") askAgain();
      else if (todo) finish(GONE);
      for (const member of members.values()) {
        if (member.gone) dropLost(member);
        else if (client.state === "ready" && !member.away) member.tick(seconds);
      }
    }

    function enter(request, isNew) {
      if (closed || entryRequest) throw new RefusedError("already-member");
      entryRequest = request;
      if (!ticker) {
        tickedAt = now();
        ticker = setInterval(tick, 1000);
        globalThis.addEventListener?.("online", self.restartIce);
      }
      return new Promise((resolve, reject) => {
        entry = { resolve, reject };
        perform(client.connect());
        if (isNew) send(request);
      });
    }

    // Events of the signaling client

    function handle(result) {
      const { type, session, user, reason, request } = result;
      if (session && session !== (current() ?? session) && type !== "refused") return;
      const member = members.get(result.from ?? user);
      if (type === "negotiate") return void member?.run(result.commands);
      if (request) settle(request, result);
      if (type === "welcome" || type === "ice-servers") {
        self.user = client.user;
        for (const { setIceServers } of members.values()) setIceServers(iceServers());
      } else if (type === "resumed") {
        if (result.survival === "membership" && entryRequest) confirmBy = now() + CONFIRM_SECONDS;
        if (result.survival === "nothing" && self.session) forgotten();
      } else if (type === "dropped") {
        for (const message of result.messages) settle(message, { type: "refused", code: "no-reply" });
      } else if (type === "disconnected") {
        for (const message of replies.keys()) settle(message, { type: "refused", code: "not-connected" });
        finish(GONE, reason || "not-connected");
      } else if (type === "refused") {
        refused(result);
      } else if (type === "opened" || type === "joined") {
        // After a crash the server may know a session whose request was lost, and rejected, with its reply.
        if (!entryRequest) return void send({ type: "leave", session });
        entered(result);
      } else if (type === "waiting") {
        confirmBy = Infinity;
      } else if (type === "left" || type === "not-admitted" || type === "ended") {
        finish(reason ?? type);
        if (type === "ended") return;
      } else if (type === "member-joined" || type === "member-renewed") {
        return settings && emit(result, meet(result.member));
      } else if (type === "member-left") {
        drop(member, reason === GONE, 0);
      } else if (type === "member-away" || type === "member-back") {
        if (member) member.away = type === "member-away";
      } else if (type === "host-changed") {
        self.role = user === self.user ? "host" : "guest";
        for (const each of members.values()) each.role = each === member ? "host" : "guest";
        store({ role: self.role, ticket: ticket() });
      }
      emit(result, member);
    }

    function settle(request, event) {
      const reply = replies.get(request);
      replies.delete(request);
      if (event.type !== "refused") return reply?.resolve(event);
      const { code, message } = event;
      reply?.reject(new RefusedError(code, message));
      if (request === entryRequest && !settings) finish(GONE, code, message);
    }

    function iceServers() {
      // As W3C `RTCIceServer`, which has no `expires`.
      return client.iceServers.map(({ expires, ...iceServer }) => iceServer);
    }

    // The session

    function entered(event) {
      const { session } = event;
      const returning = rejoining.active;
      rejoining.stop();
      confirmBy = Infinity;
      settings = event;
      self.session = session;
      self.role = event.role ?? "host";
      self.hostKey = event["host-key"] ?? self.hostKey;
      store({ session, role: self.role, hostKey: self.hostKey, ticket: ticket() });
      const present = event.members.map(({ user }) => user);
      // Those who are not back yet on a server that has crashed may still be connected.
      for (const member of members.values()) if (!returning && !present.includes(member.user)) drop(member);
      entry?.resolve(event);
      entry = null;
      event.members.forEach(meet);
    }

    // Creates the connection with a member, or keeps it where the other side still has it; returns the member, if any.
    function meet({ user, name = "", role, away, connected, "offers-first": offersFirst }) {
      const negotiator = client.negotiator(self.session, user);
      let member = members.get(user);
      if (member && connected) {
        member.attach(negotiator);
      } else {
        member?.close();
        const iceTransportPolicy = settings["relay-only"] ? "relay" : "all";
        const complete = { iceTransportPolicy, ...configuration, iceServers: iceServers() };
        // A member that keeps a connection which this side gave up cannot make the first offer.
        try {
          member = new Member(self, user, negotiator, complete, offersFirst || connected, { send, emit: connectionEvent });
        } catch ({ name, message }) {
          members.delete(user);
          return emit({ type: NEGOTIATION_FAILED, user, operation: "create", name, message });
        }
        members.set(user, member);
      }
      return Object.assign(member, { name, role, away, gone: false });
    }

    function connectionEvent(event) {
      emit(event);
      if (event.member.gone) dropLost(event.member);
    }

    // A connected member whom only the server lost stays until the connection is lost as well.
    function drop(member, mayStay, until) {
      if (!member) return;
      if (mayStay && member.state === "connected") return Object.assign(member, { gone: true, expectedUntil: until });
      members.delete(member.user);
      member.close();
    }

    function dropLost(member) {
      if (member.state !== "connected" && now() >= member.expectedUntil && members.has(member.user)) drop(member);
    }

    // Ends the session for this side. `code` rejects a promise of entering it.
    function finish(reason, code = reason, sentence) {
      const { session } = self;
      entry?.reject(new RefusedError(code, sentence));
      rejoining.stop();
      confirmBy = Infinity;
      entryRequest = settings = entry = self.session = self.role = null;
      for (const member of members.values()) drop(member, reason === "host-gone" || reason === GONE, 0);
      if (!session) return;
      store({ session: undefined, ticket: undefined });
      self.stored = undefined;
      emit({ type: "ended", session, reason });
    }

    function stopMedia() {
      for (const track of captured) track.stop();
    }

    function updateExtras() {
      for (const { addExtras } of members.values()) addExtras();
    }

    // Coming back to a server that has forgotten the session

    function forgotten() {
      confirmBy = Infinity;
      if (!ticket()) return finish(GONE);
      for (const member of members.values()) drop(member, true, now() + EXPECTED_SECONDS);
      rejoining.start(now());
      askAgain();
    }

    function askAgain() {
      const { session, role, hostKey } = self;
      const { password, succession, keep } = entryRequest;
      const common = { session, name, password, ticket: ticket(), connected: client.connectedUsers() };
      if (role !== "host") return send({ type: "join", ...common });
      const { capacity, label, lobby, "relay-only": relayOnly } = settings ?? {};
      const again = { capacity, label, lobby, "relay-only": relayOnly, succession, keep, "host-key": hostKey };
      send({ type: "open", ...common, ...again });
    }

    function refused({ about, code, message }) {
      if (about === "hello") return finish(GONE, code, message);
      if (!rejoining.active || (about !== "open" && about !== "join") || rejoining.refused(code, now())) return;
      if (about !== "open" || code !== "wrong-host-key") return finish(GONE, code, message);
      // Another member has become the host meanwhile.
      self.role = "guest";
      askAgain();
    }

    Object.assign(this, {
      open: async (options) => enter({ type: "open", name, ...options }, true),
      join: async (session, options) => enter({ type: "join", session: findSessionId(session), name, ...options }, true),
      // Comes back into the session `stored`, after a reload of the page.
      async restore() {
        const { session, role, hostKey } = stored;
        if (!this.stored) throw new RefusedError("unknown-session");
        const entering = enter({ type: "join", session, name }, false);
        Object.assign(this, { session, role, hostKey });
        // Unless a resume succeeds, which sets a later time, the session is entered anew once there is a connection.
        confirmBy = now();
        return entering;
      },
      // Sends a request of docs/protocol.md, by default about this session; returns a promise of its reply.
      request: (message) =>
        new Promise((resolve, reject) => {
          const request = { session: current(), ...message };
          replies.set(request, { resolve, reject });
          send(request);
        }),
      leave: async () => current() && self.request({ type: "leave" }),
      // Sends a text through the server, to one member or to all.
      send: (content, member) => send({ type: "message", session: self.session, to: member?.user, content }),
      // Leaves the session, and ends everything.
      close() {
        if (closed) return;
        self.leave().catch(() => {}); // Nobody waits for the reply.
        finish("left");
        perform(client.disconnect());
        closed = true;
        stopMedia();
        clearInterval(ticker);
        globalThis.removeEventListener?.("online", self.restartIce);
        for (const { end } of readers) end();
      },
      // Sends camera and microphone as `getUserMedia` gives them.
      async useMedia(constraints = { audio: true, video: true }) {
        const media = (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
        captured.push(...media);
        if (closed) return stopMedia();
        for (const track of media) {
          tracks.get(track.kind)?.stop();
          await self.setTrack(track.kind, track);
        }
      },
      // Plays audio or video elements through a speaker.
      useSpeaker: (deviceId, ...elements) => Promise.all(elements.map((element) => element.setSinkId(deviceId))),
      // Sends this track as camera or microphone; null: none.
      async setTrack(kind, track) {
        const old = tracks.get(kind);
        if (old) self.stream?.removeTrack(old);
        if (track) self.stream?.addTrack(track);
        tracks.set(kind, track);
        await Promise.all([...members.values()].map((member) => member.sendTrack(kind, track)));
      },
      // Sends one more track, such as a screen's.
      addTrack(track, ...streams) {
        extras.set(track, streams);
        updateExtras();
      },
      removeTrack(track) {
        extras.delete(track);
        updateExtras();
      },
      // Checks the connection to the server at once, and looks for new paths to the members.
      restartIce() {
        perform(client.probe(now()));
        for (const { restartIce } of members.values()) restartIce();
      },
      async *[Symbol.asyncIterator]() {
        const unread = [];
        let wake, over = closed;
        const reader = {
          read: (event) => (unread.push(event) > MAX_UNREAD && unread.shift(), wake?.()),
          end: () => ((over = true), wake?.()),
        };
        readers.add(reader);
        try {
          while (unread.length || !over) {
            if (unread.length) yield unread.shift();
            else await new Promise((resolve) => (wake = resolve));
          }
        } finally {
          readers.delete(reader);
        }
      },
    });
  }
}
