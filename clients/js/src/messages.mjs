// The forms of the server's messages. `make generate` writes this file from signald/core/messages/; do not edit it.
// A field is `key:kind`: the kind is s (string), i (integer), n (number), b (boolean) or the name of a value, and `*`
// after it stands for a list. The key is required, unless a mark follows: `?` optional, `+` and `-` true and false by
// default.
export const VALUES = {
  Negotiation: "offerer:s n:i",
  Candidate: "candidate:s sdpMid:s? sdpMLineIndex:i? usernameFragment:s?",
  Member: "user:s role:s polite:b offers-first:b base:i renegotiates:b+ messages:b+ away:b- name:s? former:s? connected:b-",
  ServerLimits: "message-bytes:i messages-per-second:n messages-burst:i session-members:i",
  IceServer: "urls:s* username:s? credential:s? expires:n?",
};
export const EVENTS = {
  "welcome": "version:i server:s user:s features:s* limits:ServerLimits ice-servers:IceServer* secret:s? grace:n? hold:n? resumed:s? received:i? role:s? session:s? reference:s? id:s?",
  "opened": "session:s capacity:i locked:b lobby:b members:Member*? label:s? host-key:s? relay-only:b- ticket:s? id:s?",
  "joined": "session:s capacity:i locked:b lobby:b role:s members:Member* label:s? relay-only:b- ticket:s? id:s?",
  "waiting": "session:s reason:s id:s?",
  "not-admitted": "session:s reason:s id:s?",
  "left": "session:s id:s?",
  "done": "id:s?",
  "member-joined": "session:s member:Member",
  "member-left": "session:s user:s reason:s",
  "member-away": "session:s user:s",
  "member-back": "session:s user:s",
  "member-renewed": "session:s member:Member",
  "host-changed": "session:s user:s ticket:s?",
  "changed": "session:s locked:b lobby:b label:s?",
  "knock": "session:s user:s name:s?",
  "knock-over": "session:s user:s",
  "ended": "session:s reason:s",
  "offer": "session:s from:s negotiation:Negotiation sdp:s",
  "answer": "session:s from:s negotiation:Negotiation sdp:s",
  "candidates": "session:s from:s candidates:Candidate* negotiation:Negotiation? end:b-",
  "ice-error": "session:s from:s text:s",
  "message": "session:s from:s content:s",
  "ack": "received:i id:s?",
  "ice-servers": "ice-servers:IceServer*",
  "going-away": "after:n hold:n?",
  "pong": "id:s?",
  "error": "code:s message:s about:s? session:s? id:s?",
};
export const UNCOUNTED = ["welcome", "ack", "ice-servers", "going-away", "pong", "error"];
