// The messages of docs/protocol.md. `make generate` writes this file from signald/core/messages/; do not edit it.

/** An offer/answer exchange of two members, identified by the offerer and the number of its offer, from 1. */
export interface Negotiation {
  offerer: string;
  n: number;
}

/** An ICE candidate (W3C `RTCIceCandidateInit`), which the server forwards without interpreting it. */
export interface Candidate {
  candidate: string;
  sdpMid?: string;
  sdpMLineIndex?: number;
  usernameFragment?: string;
}

/** A session member as the server describes it to another member, the receiver. */
export interface Member {
  user: string;
  role: string;
  polite: boolean;
  "offers-first": boolean;
  base: number;
  renegotiates: boolean;
  messages: boolean;
  away: boolean;
  name?: string;
  former?: string;
  connected: boolean;
}

/** The limits that a client needs: bytes per message, messages per second and at once, members per session. */
export interface ServerLimits {
  "message-bytes": number;
  "messages-per-second": number;
  "messages-burst": number;
  "session-members": number;
}

/** A STUN or TURN server for clients (W3C `RTCIceServer`). */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
  expires?: number;
}

/** The first request of a new client: its protocol version and its capabilities. */
export interface HelloRequest {
  type: "hello";
  version: number;
  agent?: string;
  features?: string[];
  instance?: string;
  token?: string;
  id?: string;
}

/** The first request of a reconnecting client, which resumes its identity. */
export interface ResumeRequest {
  type: "resume";
  version: number;
  user: string;
  secret: string;
  instance: string;
  received: number;
  agent?: string;
  features?: string[];
  token?: string;
  connected?: string[];
  id?: string;
}

/** Open a new session with the sender as its host, or reopen a kept one. */
export interface OpenRequest {
  type: "open";
  capacity?: number;
  name?: string;
  label?: string;
  password?: string;
  lobby?: boolean;
  succession?: boolean;
  keep?: boolean;
  "relay-only"?: boolean;
  session?: string;
  "host-key"?: string;
  ticket?: string;
  connected?: string[];
  id?: string;
}

/** Join a session as a guest. */
export interface JoinRequest {
  type: "join";
  session: string;
  name?: string;
  password?: string;
  ticket?: string;
  connected?: string[];
  id?: string;
}

/** Leave a session, or stop waiting to be admitted to it. */
export interface LeaveRequest {
  type: "leave";
  session: string;
  id?: string;
}

/** Change a session's settings; None leaves one unchanged. This and the requests up to `End` are the host's. */
export interface ChangeRequest {
  type: "change";
  session: string;
  label?: string;
  locked?: boolean;
  lobby?: boolean;
  id?: string;
}

/** Admit a visitor from the lobby. */
export interface AdmitRequest {
  type: "admit";
  session: string;
  user: string;
  id?: string;
}

/** Turn a visitor in the lobby away. */
export interface RefuseRequest {
  type: "refuse";
  session: string;
  user: string;
  id?: string;
}

/** Remove a guest from the session; the guest cannot join it again. */
export interface RemoveRequest {
  type: "remove";
  session: string;
  user: string;
  id?: string;
}

/** Make a guest the host in the sender's place. */
export interface HandOverRequest {
  type: "hand-over";
  session: string;
  user: string;
  id?: string;
}

/** End the session for all members. */
export interface EndRequest {
  type: "end";
  session: string;
  id?: string;
}

/** A session description that starts a negotiation (RFC 9429 §4.1.1). */
export interface OfferRequest {
  type: "offer";
  session: string;
  to: string;
  negotiation: Negotiation;
  sdp: string;
  id?: string;
}

/** A session description that completes a negotiation; `to` is as in `Offer`. */
export interface AnswerRequest {
  type: "answer";
  session: string;
  to: string;
  negotiation: Negotiation;
  sdp: string;
  id?: string;
}

/** A batch of ICE candidates; `end` marks the end of candidates (RFC 8838 §13). */
export interface CandidatesRequest {
  type: "candidates";
  session: string;
  to: string;
  negotiation: Negotiation;
  candidates: Candidate[];
  end?: boolean;
  id?: string;
}

/** A description of an ICE failure for the other member; `to` is as in `Offer`. */
export interface IceErrorRequest {
  type: "ice-error";
  session: string;
  to: string;
  text: string;
  id?: string;
}

/** An application message to one member, or with `to` None to every other member that accepts such messages. */
export interface AppMessageRequest {
  type: "message";
  session: string;
  content: string;
  to?: string;
  id?: string;
}

/** An acknowledgement of all counted messages up to `received`; both sides send it. */
export interface AckRequest {
  type: "ack";
  received: number;
  id?: string;
}

/** A check whether the server still answers. */
export interface PingRequest {
  type: "ping";
  id?: string;
}

/** The reply to `Hello` and `Resume`: the client's identity and the server's limits. */
export interface WelcomeEvent {
  type: "welcome";
  version: number;
  server: string;
  user: string;
  features: string[];
  limits: ServerLimits;
  "ice-servers": IceServer[];
  secret?: string;
  grace?: number;
  hold?: number;
  resumed?: string;
  received?: number;
  role?: string;
  session?: string;
  reference?: string;
  id?: string;
}

/** The reply to `Open`; `members` are the others, and `host_key` reopens a kept session. */
export interface OpenedEvent {
  type: "opened";
  session: string;
  capacity: number;
  locked: boolean;
  lobby: boolean;
  members: Member[];
  label?: string;
  "host-key"?: string;
  "relay-only": boolean;
  ticket?: string;
  id?: string;
}

/** The receiver is a member now, or again after its state was lost; `members` are the others in join order. */
export interface JoinedEvent {
  type: "joined";
  session: string;
  capacity: number;
  locked: boolean;
  lobby: boolean;
  role: string;
  members: Member[];
  label?: string;
  "relay-only": boolean;
  ticket?: string;
  id?: string;
}

/** The reply to `Join` where the sender has to wait for the host or for admission. */
export interface WaitingEvent {
  type: "waiting";
  session: string;
  reason: string;
  id?: string;
}

/** The receiver no longer waits for admission and has not become a member. */
export interface NotAdmittedEvent {
  type: "not-admitted";
  session: string;
  reason: string;
  id?: string;
}

/** The reply to `Leave`. */
export interface LeftEvent {
  type: "left";
  session: string;
  id?: string;
}

/** The reply to a request that succeeded and has no reply of its own: `done` on the wire. */
export interface DoneEvent {
  type: "done";
  id?: string;
}

/** Another member joined. */
export interface MemberJoinedEvent {
  type: "member-joined";
  session: string;
  member: Member;
}

/** Another member left. */
export interface MemberLeftEvent {
  type: "member-left";
  session: string;
  user: string;
  reason: string;
}

/** Another member's connection is lost; the server keeps messages to it until it is back. */
export interface MemberAwayEvent {
  type: "member-away";
  session: string;
  user: string;
}

/** Another member has reconnected, and no message was lost. */
export interface MemberBackEvent {
  type: "member-back";
  session: string;
  user: string;
}

/** Another member has reconnected without its earlier state: all negotiations with it start over. */
export interface MemberRenewedEvent {
  type: "member-renewed";
  session: string;
  member: Member;
}

/** Another member has become the host, or the receiver has, with the `ticket` of a host. */
export interface HostChangedEvent {
  type: "host-changed";
  session: string;
  user: string;
  ticket?: string;
}

/** The session's settings have changed to these. */
export interface ChangedEvent {
  type: "changed";
  session: string;
  locked: boolean;
  lobby: boolean;
  label?: string;
}

/** A visitor waits in the lobby; only the host gets this. */
export interface KnockEvent {
  type: "knock";
  session: string;
  user: string;
  name?: string;
}

/** A visitor no longer waits in the lobby; only the host gets this. */
export interface KnockOverEvent {
  type: "knock-over";
  session: string;
  user: string;
}

/** The session has ended, or ended for the receiver alone. */
export interface EndedEvent {
  type: "ended";
  session: string;
  reason: string;
}

/** An `Offer` from another member. */
export interface ForwardedOfferEvent {
  type: "offer";
  session: string;
  from: string;
  negotiation: Negotiation;
  sdp: string;
}

/** An `Answer` from another member. */
export interface ForwardedAnswerEvent {
  type: "answer";
  session: string;
  from: string;
  negotiation: Negotiation;
  sdp: string;
}

/** `Candidates` from another member. */
export interface ForwardedCandidatesEvent {
  type: "candidates";
  session: string;
  from: string;
  candidates: Candidate[];
  negotiation?: Negotiation;
  end: boolean;
}

/** An `IceError` from another member. */
export interface ForwardedIceErrorEvent {
  type: "ice-error";
  session: string;
  from: string;
  text: string;
}

/** An `AppMessage` from another member. */
export interface ForwardedMessageEvent {
  type: "message";
  session: string;
  from: string;
  content: string;
}

/** An acknowledgement of all counted messages up to `received`; both sides send it. */
export interface AckEvent {
  type: "ack";
  received: number;
  id?: string;
}

/** The STUN and TURN servers to use from now on; they replace the earlier ones. */
export interface IceServersEvent {
  type: "ice-servers";
  "ice-servers": IceServer[];
}

/** The server is stopping; the client reconnects after `after` seconds, and holds messages for `hold` seconds. */
export interface GoingAwayEvent {
  type: "going-away";
  after: number;
  hold?: number;
}

/** The reply to `Ping`. */
export interface PongEvent {
  type: "pong";
  id?: string;
}

/** A request was refused and changed nothing. */
export interface ErrorEvent {
  type: "error";
  code: ErrorCode | (string & {});
  message: string;
  about?: string;
  session?: string;
  id?: string;
}

/** The codes of docs/protocol.md, "Errors". */
export type ErrorCode =
  | "bad-message"
  | "unsupported-data"
  | "message-too-large"
  | "too-many-fragments"
  | "slow-message"
  | "hello-first"
  | "already-welcomed"
  | "unsupported-version"
  | "replaced"
  | "secret-reused"
  | "bad-acknowledgement"
  | "hello-timeout"
  | "id-taken"
  | "room-full"
  | "heartbeat-timeout"
  | "token-required"
  | "token-invalid"
  | "token-too-large"
  | "token-expired"
  | "not-permitted"
  | "decision-unavailable"
  | "unknown-session"
  | "session-full"
  | "session-locked"
  | "password-needed"
  | "wrong-password"
  | "wrong-host-key"
  | "lobby-full"
  | "cannot-wait"
  | "already-member"
  | "not-a-member"
  | "unknown-member"
  | "wrong-role"
  | "unsupported-by-peer"
  | "relay-needed"
  | "outbox-full"
  | "bad-capacity"
  | "too-many-sessions"
  | "too-many-new-sessions"
  | "too-many-guesses"
  | "too-many-passwords"
  | "too-many-candidates"
  | "too-many-messages"
  | "too-many-bytes"
  | "too-many-control-frames"
  | "too-many-waiting"
  | "too-many-connections"
  | "too-many-new-connections"
  | "too-many-requests"
  | "server-full"
  | "bad-host"
  | "bad-origin"
  | "bad-request"
  | "headers-too-large"
  | "body-refused"
  | "method-not-allowed"
  | "not-found"
  | "upgrade-required"
  | "tls-required"
  | "unsupported-subprotocol"
  | "going-away"
  | "internal-error";

export type Request =
  | HelloRequest
  | ResumeRequest
  | OpenRequest
  | JoinRequest
  | LeaveRequest
  | ChangeRequest
  | AdmitRequest
  | RefuseRequest
  | RemoveRequest
  | HandOverRequest
  | EndRequest
  | OfferRequest
  | AnswerRequest
  | CandidatesRequest
  | IceErrorRequest
  | AppMessageRequest
  | AckRequest
  | PingRequest;

export type ServerEvent =
  | WelcomeEvent
  | OpenedEvent
  | JoinedEvent
  | WaitingEvent
  | NotAdmittedEvent
  | LeftEvent
  | DoneEvent
  | MemberJoinedEvent
  | MemberLeftEvent
  | MemberAwayEvent
  | MemberBackEvent
  | MemberRenewedEvent
  | HostChangedEvent
  | ChangedEvent
  | KnockEvent
  | KnockOverEvent
  | EndedEvent
  | ForwardedOfferEvent
  | ForwardedAnswerEvent
  | ForwardedCandidatesEvent
  | ForwardedIceErrorEvent
  | ForwardedMessageEvent
  | AckEvent
  | IceServersEvent
  | GoingAwayEvent
  | PongEvent
  | ErrorEvent;
