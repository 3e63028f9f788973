// Negotiation of one pair: W3C perfect negotiation with numbered exchanges, as a state machine without a connection.
// Sources: docs/protocol.md, "Negotiation"; WebRTC 1.0, "perfect negotiation example"; RFC 9429; RFC 8838.
import { readValue } from "./wire.mjs";

export const NEGOTIATION_FAILED = "negotiation-failed";
const FLUSH_AFTER = 0.02; // Seconds for which local candidates are gathered into one message.
const BATCH = 64;
const MAX_WAITING_CANDIDATES = 256;

const TRANSITIONS = {
  stable: { wanted: "offering", offer: "applying" },
  offering: { "local-set": "offered", failed: "stable" },
  offered: { answer: "accepting", offer: "applying" },
  accepting: { "remote-set": "stable", failed: "stable" },
  applying: { "remote-set": "answering", failed: "stable" },
  answering: { "local-set": "stable", failed: "stable" },
  closed: {},
};
const OPERATIONS = { offering: "local-offer", accepting: "remote-answer", applying: "remote-offer", answering: "local-answer" };

const isSame = (one, other) => one?.offerer === other?.offerer && one?.n === other?.n;

// Each report returns commands for the peer connection, to be carried out in their order.
export class Negotiator {
  state = "stable";
  current = null;

  // former: the result of `kept` of the negotiator before, if its peer connection goes on.
  constructor({ session, localUser, remoteUser, offersFirst, polite, renegotiates = true, rollsBack = true, base = 0, former }) {
    const self = this;
    let needed = former?.needed;
    let exchanged = !!former;
    let lastSent = base;
    let lastSeen = base;
    let waitingOffer = null;
    let remoteCurrent = false;
    let remoteSdp = former?.remoteSdp ?? "";
    let remoteCandidates = [];
    let localCandidates = [];
    let localEnd = false;
    let flushPlanned = false;
    let closedIn = null;

    function step(event) {
      const after = TRANSITIONS[self.state][event];
      if (after) self.state = after;
      return !!after;
    }

    const send = (type, content) => ({ type: "send-request", message: { type, session, to: remoteUser, negotiation: self.current, ...content } });

    // At first the later joiner alone may offer, then both, if the other side renegotiates.
    const mayOffer = () => (exchanged ? renegotiates : offersFirst);

    const willRollBack = () => waitingOffer && polite && rollsBack;

    function makeCurrent(negotiation) {
      self.current = negotiation;
      remoteCurrent = false;
    }

    // Adds waiting candidates, applies the remote offer, or creates a local one.
    function advance() {
      if (self.state !== "stable" && self.state !== "offered") return [];
      const commands = [...addCandidates(), ...applyOffer()];
      if (self.state === "stable" && needed && mayOffer()) {
        commands.push(...sendCandidates(), { type: "create-and-set-local", kind: "offer" });
        needed = false;
        step("wanted");
      }
      return commands;
    }

    function applyOffer() {
      const offer = waitingOffer;
      if (!offer) return [];
      const rollback = self.state === "offered";
      const yields = willRollBack();
      waitingOffer = null;
      lastSeen = offer.negotiation.n;
      if (rollback && !yields) {
        const message = "Both sides sent an offer, and neither can roll it back.";
        return polite ? [{ type: NEGOTIATION_FAILED, operation: "rollback", name: "NotSupportedError", message }] : [];
      }
      const commands = sendCandidates();
      needed = false;
      step("offer");
      makeCurrent(offer.negotiation);
      remoteSdp = offer.sdp;
      return [...commands, { type: "set-remote", kind: "offer", sdp: remoteSdp, rollback }];
    }

    // Adds the remote candidates whose description is set, and drops those of an earlier negotiation.
    function addCandidates() {
      const commands = [];
      const waiting = remoteCandidates;
      remoteCandidates = [];
      for (const [stated, candidate] of waiting) {
        // The other side may not number its negotiations (docs/protocol.md, "Negotiation", 5).
        const negotiation = stated ?? self.current;
        if (isEarly(negotiation)) remoteCandidates.push([negotiation, candidate]);
        else if (isSame(negotiation, self.current) || isSameGeneration(candidate)) commands.push({ type: "add-candidate", candidate });
      }
      return commands;
    }

    function isEarly(negotiation) {
      if (isSame(negotiation, self.current)) return !remoteCurrent;
      return negotiation.offerer === remoteUser && negotiation.n > lastSeen;
    }

    // An exchange without an ICE restart keeps the generation, whose candidates may still be on their way.
    function isSameGeneration(candidate) {
      const fragment = candidate?.usernameFragment;
      return fragment && remoteSdp.includes(`a=ice-ufrag:${fragment}\r\n`);
    }

    // Sends the local candidates, unless their description has not been sent yet.
    function sendCandidates() {
      const commands = [];
      if (!self.current || !["stable", "offered", "accepting"].includes(self.state)) return commands;
      while (localCandidates.length || localEnd) {
        const candidates = localCandidates.splice(0, BATCH);
        const end = localEnd && !localCandidates.length;
        if (end) localEnd = false;
        commands.push(send("candidates", { candidates, ...(end && { end }) }));
      }
      return commands;
    }

    Object.assign(this, {
      negotiationNeeded() {
        needed = true; // Noted also when it is closed, for the negotiator that continues.
        return advance();
      },
      restartIce: () => (self.state !== "closed" && mayOffer() ? [{ type: "restart-ice" }] : []),
      localDescriptionSet(sdp) {
        const answers = self.state === "answering";
        if (!step("local-set")) return [];
        const commands = [];
        if (answers) {
          exchanged = true;
          commands.push(send("answer", { sdp }));
        } else if (!willRollBack()) {
          // An offer that the next command rolls back is not sent.
          makeCurrent({ offerer: localUser, n: ++lastSent });
          commands.push(send("offer", { sdp }));
        }
        return [...commands, ...sendCandidates(), ...advance()];
      },
      remoteDescriptionSet() {
        if (!step("remote-set")) return [];
        remoteCurrent = true;
        if (self.state === "answering") return [{ type: "create-and-set-local", kind: "answer" }];
        exchanged = true;
        return advance();
      },
      operationFailed(name, message) {
        const operation = OPERATIONS[self.state];
        return step("failed") ? [{ type: NEGOTIATION_FAILED, operation, name, message }, ...advance()] : [];
      },
      // A candidate as of W3C `RTCIceCandidateInit`; null: gathering is complete.
      localCandidate(candidate) {
        if (self.state === "closed") return [];
        // Older browsers mark the end with an empty candidate.
        if (!candidate?.candidate) {
          localEnd = true;
          return sendCandidates();
        }
        localCandidates.push(readValue("Candidate", candidate));
        if (flushPlanned) return [];
        flushPlanned = true;
        return [{ type: "flush-later", seconds: FLUSH_AFTER }];
      },
      flushCandidates() {
        flushPlanned = false;
        return sendCandidates();
      },
      // Returns what the next negotiator of the same peer connection has to know. Returns null if there cannot be one:
      // before the first exchange is complete, and while an operation is under way. An unanswered offer is made again.
      kept() {
        const state = closedIn ?? self.state;
        return exchanged && (state === "stable" || state === "offered") ? { remoteSdp, needed: needed || state === "offered" } : null;
      },
      continueNegotiation: advance,
      close() {
        closedIn ??= self.state;
        self.state = "closed";
      },
      messageReceived(message) {
        const { type, negotiation, sdp } = message;
        if (type === "offer") {
          const newest = waitingOffer?.negotiation.n ?? lastSeen;
          if (negotiation.offerer !== remoteUser || negotiation.n <= newest) return [];
          waitingOffer = message;
        } else if (type === "answer") {
          if (!isSame(negotiation, self.current) || !step("answer")) return [];
          remoteSdp = sdp;
          return [{ type: "set-remote", kind: "answer", sdp, rollback: false }];
        } else {
          if (negotiation?.n <= base) return [];
          const candidates = message.end ? [...message.candidates, null] : message.candidates;
          for (const candidate of candidates) {
            if (remoteCandidates.length < MAX_WAITING_CANDIDATES) remoteCandidates.push([negotiation, candidate]);
          }
        }
        return advance();
      },
    });
  }
}
