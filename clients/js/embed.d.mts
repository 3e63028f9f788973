// The interface of the call page in another page; docs/embedding.md explains it.

/** What the frame's address asks of the call page. */
export interface CallParameters {
  /** The name that is suggested to the person. */
  name?: string;
  /** False: the call starts without the microphone. */
  microphone?: boolean;
  /** False: the call starts without the camera. */
  camera?: boolean;
  /** False: the page does not show the person to themselves before the call. */
  preview?: boolean;
  /** A language tag, such as `ar`. */
  language?: string;
  /** The token, where the server requires one. */
  token?: string;
}

export interface EmbedOptions extends CallParameters {
  /** The session that the person joins; without one, they open one. */
  session?: string;
  /** The name of the frame for screen readers. */
  title?: string;
}

export interface CallState {
  state: "loading" | "start" | "connecting" | "waiting" | "calling" | "connected" | "ended" | "failed" | "test";
  /** The session's id, from the entry to the end; else empty. */
  session: string;
  role: "host" | "guest" | "";
  /** The invitation; empty outside of a session. */
  link: string;
  /** How the call ended, as a sentence in the person's language; empty before. */
  outcome: string;
}

export interface CallMember {
  user: string;
  name: string;
  host: boolean;
  /** Whether the server has lost this member, who may be back soon. */
  away: boolean;
  connected: boolean;
  /** Null where the member's program does not say. */
  microphone: boolean | null;
  camera: boolean | null;
  screen: boolean;
}

/** What this person sends. */
export interface CallMedia {
  microphone: boolean;
  camera: boolean;
  screen: boolean;
}

export interface CallDevice {
  device: string;
  label: string;
  used: boolean;
}

export type DeviceKind = "camera" | "microphone" | "speaker";

export interface CallProblem {
  /** `call`, `devices`, the command that was not carried out, or `frame`: the call page does not answer. */
  about: "call" | "devices" | "frame" | "join" | "choose-device" | (string & {});
  /** The code of the protocol; `no-answer` of the frame; `call-on`, `invalid-session` or `unknown-device` of a command; why a device is off. */
  code: string;
  /** A sentence in the person's language, which the call page shows too; empty about a command. */
  message: string;
}

export interface CallPageEvents {
  ready: Record<string, never>;
  state: CallState;
  members: { members: CallMember[] };
  media: CallMedia;
  devices: { devices: Record<DeviceKind, CallDevice[]> };
  error: CallProblem;
}

/** A call in a frame. Commands before the event `ready` are lost. */
export class EmbeddedCall extends EventTarget {
  /** `server` is the address of the call page, `https://HOST/`. The element gets the frame as its last child. */
  constructor(element: Element, server: string | URL, options?: EmbedOptions);
  readonly frame: HTMLIFrameElement;
  /** Whether the call page has answered. */
  readonly ready: boolean;
  readonly state: CallState;
  /** The others. */
  readonly members: CallMember[];
  readonly media: CallMedia;
  /** Empty lists until the person has allowed their use. */
  readonly devices: Record<DeviceKind, CallDevice[]>;
  /** Joins this session, or that of the frame's address; opens one where neither names any. */
  join(options?: { session?: string; name?: string; password?: string }): void;
  /** Leaves the call; as its host, ends it for all. */
  hangUp(): void;
  setMicrophone(on: boolean): void;
  setCamera(on: boolean): void;
  chooseDevice(kind: DeviceKind, device: string): void;
  /** Removes the frame; the others see the person leave some seconds later, unless `hangUp` came before. */
  remove(): void;
  addEventListener<Type extends keyof CallPageEvents>(
    type: Type,
    listener: (event: CustomEvent<CallPageEvents[Type]>) => void,
    options?: AddEventListenerOptions | boolean,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;
}

/** Puts a call into an element, and returns it. */
export function embed(element: Element, server: string | URL, options?: EmbedOptions): EmbeddedCall;

/** Returns the address of the call page for a session, which may be empty. */
export function callAddress(server: string | URL, session?: string, options?: CallParameters): string;
