// The signaling client without I/O: an edge reports what happened, and carries out the results of each method.
import { makeConnection } from "./connection.mjs";
import { exceedsOutbox, makeMailbox } from "./mailbox.mjs";
import { UNCOUNTED } from "./messages.mjs";
import { makePendingRequests } from "./requests.mjs";
import { makeSessions } from "./sessions.mjs";
import { BadMessageError, byteLength, decode, encode } from "./wire.mjs";

export const SUBPROTOCOL = "signald.1";

const SILENT_CODE = 3008; // "Timeout" in IANA's registry, and in the range that a page may use.
const REPLACED_CODE = 4001;
const RESTART_CODE = 1012;
const NOT_CONNECTED = ["not-connected", "There is no connection to the server."];
const TOO_LARGE = ["message-too-large", "The message is too large."];
const NO_REPLY = ["no-reply", "The reply was lost with the connection."];

function readIdentity(text) {
  try {
    const { user, secret } = JSON.parse(text);
    return user && secret ? { user, secret } : null;
  } catch {
    return null;
  }
}

const sendFrame = (text) => ({ type: "send-frame", text });
const sendMessage = (message) => sendFrame(encode(message));
const closeSocket = (code, reason) => ({ type: "close-socket", code, reason });
const connectAfter = (seconds) => [{ type: "connect-after", seconds }, { type: "interrupted", seconds }];

export class SignalingClient {
  state = "closed";
  user = null;
  welcome = null;
  iceServers = [];

  constructor({ random = Math.random, instance, agent, features = [], identity: stored = null, token, connected = () => [] }) {
    const self = this;
    const connection = makeConnection(random);
    const mailbox = makeMailbox();
    const pending = makePendingRequests();
    const sessions = makeSessions(!features.includes("no-rollback"));
    let identity = readIdentity(stored);
    let greeting; // The latest hello or resume.
    let early = []; // Requests before the first welcome.
    let earlyBytes = 0;
    let clock = 0;
    let lostAt = 0;
    let heldUntil = null; // As the server announced in `going-away`.
    let restartDelay = null;

    const acknowledge = () => sendMessage({ type: "ack", received: mailbox.takeAckCount() });

    const connectedUsers = () => sessions.established(connected());

    function refusal([code, sentence], { message, request }) {
      const { type: about, session } = message;
      return { type: "refused", code, message: sentence, about, session, user: sessions.knownId(message.to ?? message.user), request };
    }

    // Whether a message of so many bytes can wait for the resume.
    function mayWait(size) {
      if (!identity || self.welcome?.grace === undefined) return false;
      return clock < (heldUntil ?? lostAt + self.welcome.grace) && !mailbox.isFull(size);
    }

    // Forgets all sessions, counts from 0 again, and returns the messages that are lost with that.
    function reset(resumable) {
      const lost = pending.takeLost(mailbox.unsentEntries());
      mailbox.restart(resumable);
      sessions.clear();
      return lost.map(({ request }) => request);
    }

    function takeEarly() {
      const requests = early;
      early = [];
      earlyBytes = 0;
      return requests;
    }

    function adoptIdentity(next) {
      const had = identity;
      identity = next;
      return next || had ? [{ type: "store-identity", text: next && JSON.stringify(next) }] : [];
    }

    // Ends the connection for good, and the identity with it.
    function end(code, reason, refusals = []) {
      if (!connection.end()) return [];
      reset(false);
      takeEarly();
      self.user = self.welcome = null;
      return [...adoptIdentity(null), ...refusals, { type: "disconnected", code, reason }];
    }

    function socketClosed(code, reason) {
      if (code === REPLACED_CODE || reason === "replaced" || reason === "secret-reused") return end(code, reason);
      const after = code === RESTART_CODE ? restartDelay : null;
      if (connection.state === "ready") {
        lostAt = clock;
        restartDelay = null;
      }
      const seconds = connection.lost(clock, after);
      return seconds === null ? [] : connectAfter(seconds);
    }

    function greetingAnswered(message) {
      if (message?.type === "welcome") return welcomed(message);
      if (message?.type !== "error") return [];
      const { code } = message;
      const refusals = [refusal([code, message.message], { message: greeting, request: greeting })];
      // After a transient error the server closes the socket, and the next attempt may succeed.
      if (code === "internal-error" || code === "going-away") return refusals;
      return [closeSocket(1000, ""), ...end(1000, code, refusals)];
    }

    function welcomed(welcome) {
      const { user, secret } = welcome;
      const survival = (self.user || identity) && (welcome.resumed ?? "nothing");
      const effects = [];
      const events = [welcome];
      connection.welcomed(clock);
      heldUntil = null;
      self.user = user;
      self.welcome = welcome;
      self.iceServers = welcome["ice-servers"];
      if (survival) events.push({ type: "resumed", survival });
      if (survival === "everything") {
        pending.markAcknowledged(mailbox.removeAcknowledged(welcome.received ?? 0) ?? []);
        pending.expectReplies(mailbox.unsentEntries(), clock);
      } else {
        const messages = reset(!!secret);
        if (messages.length) events.push({ type: "dropped", messages });
      }
      // At once, since the previous secret is valid until then (docs/protocol.md, "Resume").
      if (survival) effects.push(acknowledge(), ...mailbox.unsentFrames().map(sendFrame));
      for (const request of takeEarly()) {
        for (const result of send(request)) (result.type === "send-frame" ? effects : events).push(result);
      }
      return [...effects, ...adoptIdentity(secret ? { user, secret } : null), ...events];
    }

    function messageReceived(message) {
      const { type } = message;
      if (type === "pong" || type === "welcome") return [];
      if (type === "ack") {
        const acknowledged = mailbox.removeAcknowledged(message.received);
        if (!acknowledged) return [{ type: "invalid-message", message: "More messages are acknowledged than were sent." }];
        pending.markAcknowledged(acknowledged);
        return [];
      }
      if (type === "going-away") {
        restartDelay = message.after;
        heldUntil = message.hold === undefined ? null : clock + message.hold;
        connection.expectRestart();
        return [message];
      }
      if (type === "ice-servers") {
        self.iceServers = message["ice-servers"];
        return [message];
      }
      const entry = pending.take(message.id);
      if (type === "error") return [entry ? refusal([message.code, message.message], entry) : { ...message, type: "refused" }];
      if (entry) message.request = entry.request;
      return type === "done" ? [message] : sessions.received(message, self.user);
    }

    function frameReceived(text) {
      const inGreeting = connection.state === "greeting";
      if (!inGreeting && connection.state !== "ready") return [];
      connection.received(clock);
      let message = null;
      let invalid;
      try {
        message = decode(text);
      } catch (error) {
        if (!(error instanceof BadMessageError)) throw error;
        invalid = [{ type: "invalid-message", message: error.message }];
      }
      if (inGreeting) return invalid ?? greetingAnswered(message);
      // The server counted a message that this client does not understand like any other.
      const counted = !UNCOUNTED.includes(message?.type);
      const results = counted && mailbox.recordReceived(byteLength(text), clock) ? [acknowledge()] : [];
      return [...results, ...(invalid ?? (message ? messageReceived(message) : []))];
    }

    function tick() {
      const todo = connection.tick(clock);
      if (todo === "silent") return [closeSocket(SILENT_CODE, "server-silent"), ...socketClosed(SILENT_CODE, "")];
      if (connection.state !== "ready") return [];
      const results = todo ? [sendMessage({ type: "ping" })] : [];
      if (mailbox.isAckOverdue(clock)) results.push(acknowledge());
      return [...results, ...pending.takeOverdue(clock).map((entry) => refusal(NO_REPLY, entry))];
    }

    function send(request) {
      const message = { ...request };
      for (const key of ["to", "user"]) if (message[key]) message[key] = sessions.serverId(message[key]);
      const entry = { message, request };
      if (!self.welcome && connection.state !== "closed") {
        const bytes = earlyBytes + byteLength(encode(message));
        if (exceedsOutbox(early.length, bytes)) return [refusal(NOT_CONNECTED, entry)];
        earlyBytes = bytes;
        early.push(request);
        return [];
      }
      pending.register(entry);
      const frame = encode(message);
      const size = byteLength(frame);
      const isReady = connection.state === "ready";
      // The server would close the connection at a message that is too large, and each resume would send it again.
      const tooLarge = size > self.welcome?.limits["message-bytes"];
      if (tooLarge || (!isReady && !mayWait(size))) {
        pending.take(message.id);
        return [refusal(tooLarge ? TOO_LARGE : NOT_CONNECTED, entry)];
      }
      mailbox.recordSent(entry, frame, size);
      return isReady ? [sendFrame(frame)] : [];
    }

    // Wraps a method so that `state` is current when it returns. `place` is the place of the clock among its arguments.
    const reporting = (method, place) => (...facts) => {
      clock = facts[place] ?? clock;
      const results = method(...facts);
      self.state = connection.state;
      return results;
    };

    Object.assign(this, {
      connect: reporting(() => (connection.start() ? [{ type: "connect-after", seconds: 0 }] : [])),
      disconnect: reporting(() => (connection.state === "closed" ? [] : [closeSocket(1000, ""), ...end(1000, "")])),
      socketOpened: reporting(() => {
        if (!connection.opened(clock)) return [];
        const resumes = identity && { type: "resume", ...identity, received: mailbox.receivedCount(), connected: some(connectedUsers()) };
        greeting = { type: "hello", ...resumes, id: "greeting", version: 1, agent, features: some(features), instance, token };
        return [sendMessage(greeting)];
      }, 0),
      frameReceived: reporting(frameReceived, 1),
      socketClosed: reporting(socketClosed, 2),
      tick: reporting(tick, 0),
      probe: reporting(() => {
        const todo = connection.probe(clock);
        return todo === "ping" ? [sendMessage({ type: "ping" })] : todo ? connectAfter(0) : [];
      }, 0),
      send: reporting(send),
      openTimeout: connection.openTimeout,
      negotiator: sessions.negotiator,
      ticket: sessions.ticket,
      connectedUsers,
    });
  }
}

// An empty list is omitted.
const some = (list) => (list.length ? list : null);
