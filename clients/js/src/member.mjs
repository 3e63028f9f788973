// One other member of a call, and the peer connection with it: carries out the negotiator's commands in their order.
import { NEGOTIATION_FAILED } from "./negotiator.mjs";

const RESTART_AFTER = 2; // Seconds of interruption after which ICE is restarted; shorter ones mostly pass by themselves.
const RESTART_BACK_OFF = 4; // Seconds until the second restart; doubled each time.
const FIRST_CHANNEL = 1; // The id of the first data channel of the application; call pages use 0.

const RTC_FAILED = "failed";
const CONNECTED = "connected";

export class Member {
  name = "";
  role = "guest";
  away = false;
  gone = false; // Whether the server has removed the member, while the connection goes on.
  expectedUntil = 0;
  state = "new";
  wasConnected = false;
  channels = new Map();

  // call: the call, of whose attributes a member reads the local media; send: sends a message through the server.
  constructor(call, user, negotiator, configuration, offersFirst, { send, emit }) {
    const self = this;
    const { webrtc, kinds, tracks, extras, stream } = call;
    const connection = (this.connection = new webrtc.RTCPeerConnection(configuration));
    const remote = (this.stream = webrtc.MediaStream && new webrtc.MediaStream());
    const streams = stream ? [stream] : [];
    const senders = new Map();
    const added = new Map(); // Transceivers of further tracks.
    let queue = Promise.resolve();
    let closed = false;
    let ready = offersFirst; // Whether camera and microphone have their transceivers, which are the first ones.
    let waited = 0;
    let restartAt = RESTART_AFTER;
    let backOff = RESTART_BACK_OFF;
    this.user = user;

    const report = (type, content) => emit({ type, member: self, ...content });

    function run(commands) {
      for (const command of commands) {
        const fail = ({ name, message }) => report(NEGOTIATION_FAILED, { operation: command.type, name, message });
        queue = queue.then(() => closed || runCommand(command)).catch(fail);
      }
    }

    async function attempt(operation, report) {
      const { operationFailed } = negotiator;
      let next;
      try {
        await operation;
        next = report;
      } catch ({ name, message }) {
        next = () => operationFailed(name, message);
      }
      if (!closed) run(next());
    }

    function runCommand({ type, ...command }) {
      const { kind, sdp } = command;
      const { localDescriptionSet, remoteDescriptionSet, flushCandidates } = negotiator;
      if (type === "create-and-set-local") {
        return attempt(connection.setLocalDescription(), () => localDescriptionSet(connection.localDescription.sdp));
      }
      // The browser rolls a local offer back by itself (RFC 9429 §4.1.10.2).
      if (type === "set-remote") return attempt(setRemote(kind, sdp), remoteDescriptionSet);
      // An unusable candidate means one path less, and is no failure of the connection.
      if (type === "add-candidate") return connection.addIceCandidate(command.candidate ?? undefined).catch(() => {});
      if (type === "restart-ice") connection.restartIce();
      else if (type === "configure") connection.setConfiguration({ ...configuration, ...command });
      else if (type === "send-request") send(command.message);
      else if (type === "flush-later") setTimeout(() => run(flushCandidates()), command.seconds * 1000);
      else report(type, command);
    }

    async function setRemote(type, sdp) {
      await connection.setRemoteDescription({ type, sdp });
      if (type !== "offer") return;
      // Send the local track of each kind over the transceiver that the other side offered for it.
      for (const transceiver of connection.getTransceivers()) {
        const { sender, receiver } = transceiver;
        const { kind } = receiver.track;
        if (senders.has(kind) || !kinds.includes(kind)) continue;
        senders.set(kind, sender);
        transceiver.direction = "sendrecv";
        sender.setStreams?.(...streams);
        await sender.replaceTrack(tracks.get(kind) ?? null);
      }
      if (sdp.includes("\r\nm=application ")) openChannels();
      ready = true;
      addExtras();
    }

    // Both sides open the channels that the application lists (RFC 8832 §6.1), so that neither waits for the other.
    function openChannels() {
      if (self.channels.size) return;
      Object.entries(call.channels).forEach(([label, options], index) => {
        const id = FIRST_CHANNEL + index;
        const channel = connection.createDataChannel(label, { ...options, negotiated: true, id });
        self.channels.set(label, channel);
        report("channel", { channel });
      });
    }

    function addExtras() {
      if (!ready) return;
      for (const [track, streams] of extras) {
        if (!added.has(track)) added.set(track, connection.addTransceiver(track, { direction: "sendonly", streams }));
      }
      for (const [track, transceiver] of added) {
        if (extras.has(track)) continue;
        transceiver.stop();
        added.delete(track);
      }
    }

    function setState(state) {
      const before = self.state;
      if (state === before) return;
      self.state = state;
      if (state === CONNECTED || before === CONNECTED) {
        // An interruption lasts from the loss of `connected` to the next `connected`, over all states in between.
        waited = 0;
        restartAt = RESTART_AFTER;
        backOff = RESTART_BACK_OFF;
      }
      if (state === RTC_FAILED) restartAt = 0;
      self.wasConnected ||= state === CONNECTED;
      report("connection", { state });
    }

    const listen = (type, react) => connection.addEventListener(type, (event) => closed || react(event));
    listen("icecandidate", ({ candidate }) => run(negotiator.localCandidate(candidate?.toJSON())));
    listen("negotiationneeded", () => run(negotiator.negotiationNeeded()));
    listen("connectionstatechange", () => setState(connection.connectionState));
    listen("datachannel", ({ channel }) => report("channel", { channel }));
    listen("track", ({ track, streams, transceiver }) => {
      // The first transceiver of a kind carries the camera or the microphone.
      const first = connection.getTransceivers().find(({ receiver }) => receiver.track.kind === track.kind);
      if (first === transceiver && remote) {
        for (const old of remote.getTracks()) if (old.kind === track.kind) remote.removeTrack(old);
        remote.addTrack(track);
      }
      report("track", { track, streams });
    });

    Object.assign(this, {
      run,
      addExtras,
      // Whether the connection was there, and the browser has not given it up.
      isEstablished: () => self.wasConnected && (self.state === CONNECTED || self.state === "disconnected"),
      // Goes on with another negotiator for the same member, whom the server knows anew.
      attach(next) {
        negotiator = next;
        waited = restartAt = 0;
        run(negotiator.continueNegotiation());
      },
      // For the next ICE restart (W3C `setConfiguration`).
      setIceServers: (iceServers) => run([{ type: "configure", iceServers }]),
      // Restarts ICE where the connection has been interrupted for some time; `seconds` in which negotiation was possible.
      tick(seconds) {
        if (self.state === CONNECTED || (!self.wasConnected && self.state !== RTC_FAILED)) return;
        waited += seconds;
        if (waited < restartAt) return;
        restartAt = waited + backOff;
        backOff *= 2;
        self.restartIce();
      },
      restartIce: () => run(negotiator.restartIce()),
      // Sends a track of this kind, or none.
      sendTrack: (kind, track) => senders.get(kind)?.replaceTrack(track),
      close() {
        closed = true;
        negotiator.close();
        connection.close();
        setState("closed");
      },
    });

    if (!offersFirst) return;
    for (const kind of kinds) {
      // With or without a device: one that is switched on later then needs no further negotiation.
      senders.set(kind, connection.addTransceiver(tracks.get(kind) ?? kind, { direction: "sendrecv", streams }).sender);
    }
    openChannels();
    addExtras();
  }
}
