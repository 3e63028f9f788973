// The interface of the JavaScript client of signald; docs/javascript.md explains it.
import type { ErrorCode, IceServer, JoinedEvent, OpenedEvent, OpenRequest, Request, ServerEvent, WelcomeEvent } from "./messages.mjs";

export * from "./messages.mjs";

/** The WebSocket subprotocol of docs/protocol.md. */
export const SUBPROTOCOL: "signald.1";

/** Returns the canonical session id in a typed id or a link; throws RangeError where there is none. */
export function findSessionId(text: string): string;

/** Returns a canonical session id in groups that people can read: `ABC-DEFG-HJK`. */
export function groupSessionId(session: string): string;

type WithoutType<T> = T extends unknown ? Omit<T, "type" | "id"> : never;

// The client without I/O

/** Effects for the edge to carry out, in their order. */
export type Effect =
  | { type: "send-frame"; text: string }
  /** Nothing that the socket reports afterwards is passed to the client. */
  | { type: "close-socket"; code: number; reason: string }
  /** Replaces a socket that is planned or being opened. */
  | { type: "connect-after"; seconds: number }
  /** Replaces the text before; null deletes it. The text holds a secret. */
  | { type: "store-identity"; text: string | null }
  /** Commands for the peer connection with a member. */
  | { type: "negotiate"; session: string; user: string; commands: NegotiationCommand[] };

export interface RefusedEvent {
  type: "refused";
  code: ErrorCode | "not-connected" | "no-reply" | (string & {});
  message: string;
  about?: string;
  session?: string;
  user?: string;
  request?: Request;
}

export type ClientEvent =
  | RefusedEvent
  | { type: "invalid-message"; message: string }
  | { type: "interrupted"; seconds: number }
  | { type: "resumed"; survival: "everything" | "membership" | "nothing" }
  | { type: "dropped"; messages: Request[] }
  | { type: "disconnected"; code: number; reason: string };

/** A reply names the object that was given to `send`. */
export type Result = Effect | ClientEvent | (ServerEvent & { request?: Request });

export interface SignalingOptions {
  /** Random text of 1 to 64 characters, another one for each start of the program or load of the page. */
  instance: string;
  /** Returns numbers from 0 up to 1, for the jitter. */
  random?: () => number;
  agent?: string;
  features?: string[];
  /** The text of the last `store-identity` of an earlier instance. */
  identity?: string | null;
  token?: string;
  /** Returns the members with whom there still is a peer connection. */
  connected?: () => string[];
}

/** The signaling client without I/O. `now` is a monotonic clock in seconds; `tick` is to be called about once a second. */
export class SignalingClient {
  constructor(options: SignalingOptions);
  readonly state: "closed" | "connecting" | "greeting" | "ready";
  readonly user: string | null;
  readonly welcome: WelcomeEvent | null;
  readonly iceServers: IceServer[];
  connect(): Result[];
  disconnect(): Result[];
  socketOpened(now: number): Result[];
  frameReceived(text: string, now: number): Result[];
  socketClosed(code: number, reason: string, now: number): Result[];
  tick(now: number): Result[];
  probe(now: number): Result[];
  send(request: Request): Result[];
  /** Seconds that an attempt to connect may take. */
  openTimeout(): number;
  negotiator(session: string, user: string): Negotiator | null;
  ticket(session: string): string | null;
  connectedUsers(): string[];
}

export type NegotiationCommand =
  | { type: "create-and-set-local"; kind: "offer" | "answer" }
  | { type: "set-remote"; kind: "offer" | "answer"; sdp: string; rollback: boolean }
  | { type: "add-candidate"; candidate: RTCIceCandidateInit | null }
  | { type: "restart-ice" }
  | { type: "send-request"; message: Request }
  | { type: "flush-later"; seconds: number }
  | { type: "negotiation-failed"; operation: string; name: string; message: string };

/** Negotiates with one member; each report returns commands. At most one operation is under way at a time. */
export interface Negotiator {
  readonly state: string;
  negotiationNeeded(): NegotiationCommand[];
  restartIce(): NegotiationCommand[];
  localDescriptionSet(sdp: string): NegotiationCommand[];
  remoteDescriptionSet(): NegotiationCommand[];
  operationFailed(name: string, message: string): NegotiationCommand[];
  localCandidate(candidate?: RTCIceCandidateInit | null): NegotiationCommand[];
  flushCandidates(): NegotiationCommand[];
  continueNegotiation(): NegotiationCommand[];
  close(): void;
}

/** The timer of a return into a session that the server has forgotten. */
export class Rejoining {
  constructor(random: () => number);
  active: boolean;
  start(now: number): void;
  stop(): void;
  refused(code: string, now: number): boolean;
  tick(now: number): "ask" | "give-up" | null;
}

// Calls

export class RefusedError extends Error {
  code: RefusedEvent["code"];
}

/** What a call needs of WebRTC: the browser's own, or a package's. */
export interface WebRtc {
  RTCPeerConnection: typeof RTCPeerConnection;
  MediaStream?: typeof MediaStream;
}

export interface CallOptions {
  /** The page of the server, with the slash at its end, or its WebSocket; by default where the module is from. */
  server?: string | URL;
  name?: string;
  token?: string;
  agent?: string;
  instance?: string;
  /** The media that are sent and received; both by default. */
  kinds?: ("audio" | "video")[];
  /** The data channels, by label; every member lists the same ones in the same order. */
  channels?: Record<string, RTCDataChannelInit>;
  /** Further settings of the peer connections. */
  configuration?: RTCConfiguration;
  /** Where the identity is kept for a reload, as `sessionStorage`. It is a secret. */
  storage?: Pick<Storage, "getItem" | "setItem">;
  random?: () => number;
  WebSocket?: new (url: string, protocol: string) => Pick<WebSocket, "addEventListener" | "send" | "close">;
  webrtc?: WebRtc;
}

/** One other member of a call, and the peer connection with it. */
export interface Member {
  readonly user: string;
  readonly name: string;
  readonly role: "host" | "guest";
  readonly away: boolean;
  /** Whether the server has removed the member, while the connection goes on. */
  readonly gone: boolean;
  readonly state: RTCPeerConnectionState;
  /** The remote microphone and camera; undefined where `webrtc` has no `MediaStream`. */
  readonly stream: MediaStream | undefined;
  readonly connection: RTCPeerConnection;
  /** The data channels of the option `channels`, by label. */
  readonly channels: Map<string, RTCDataChannel>;
  restartIce(): void;
}

type Naming<T> = T extends { from: string } | { user: string } | { member: unknown } ? Omit<T, "member"> & { member?: Member } : T;

/** The events of a call: those of the signaling client, with the member that they name, and those of the connections. */
export type CallEvent =
  | Naming<Exclude<ServerEvent, { type: "offer" | "answer" | "candidates" | "ack" | "pong" | "error" }>>
  | Exclude<ClientEvent, RefusedEvent>
  | (RefusedEvent & { member?: Member })
  | { type: "connection"; member: Member; state: RTCPeerConnectionState }
  | { type: "track"; member: Member; track: MediaStreamTrack; streams: readonly MediaStream[] }
  | { type: "channel"; member: Member; channel: RTCDataChannel }
  /** The browser's error; without a member where no peer connection with the user could be made. */
  | { type: "negotiation-failed"; member?: Member; user?: string; operation: string; name: string; message: string };

export type OpenOptions = Partial<WithoutType<OpenRequest>>;

type CallListener<Type> = (event: CustomEvent<Extract<CallEvent, { type: Type }>>) => void;

/** A call in one session: a peer connection with every other member, which survives cuts, reloads and restarts. */
export class Call extends EventTarget {
  constructor(options?: CallOptions);
  readonly session: string | null;
  readonly role: "host" | "guest" | null;
  readonly user: string | null;
  /** Opens a session again that was opened with `keep`. */
  readonly hostKey: string | null;
  readonly members: Map<string, Member>;
  /** The local microphone and camera; undefined where `webrtc` has no `MediaStream`. */
  readonly stream: MediaStream | undefined;
  /** The session before the page was reloaded, for `restore`. */
  readonly stored: string | undefined;
  open(options?: OpenOptions): Promise<OpenedEvent>;
  join(session: string, options?: { name?: string; password?: string }): Promise<JoinedEvent>;
  restore(): Promise<OpenedEvent | JoinedEvent>;
  leave(): Promise<unknown>;
  close(): void;
  /** Sends a request of docs/protocol.md, by default about this session; returns its reply. */
  request(message: { type: Request["type"]; [key: string]: unknown }): Promise<ServerEvent>;
  /** Sends a text through the server, to one member or to all. */
  send(content: string, member?: Member): void;
  useMedia(constraints?: MediaStreamConstraints): Promise<void>;
  useSpeaker(deviceId: string, ...elements: HTMLMediaElement[]): Promise<unknown>;
  setTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<void>;
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): void;
  removeTrack(track: MediaStreamTrack): void;
  restartIce(): void;
  [Symbol.asyncIterator](): AsyncGenerator<CallEvent, void>;
  addEventListener<Type extends CallEvent["type"]>(type: Type, listener: CallListener<Type>, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
}
