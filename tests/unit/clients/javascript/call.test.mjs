// Calls of the JavaScript client in a world without network and time: CLIENT names the module.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { elapse, FakePeerConnection, FakeServer, settle, webrtc } from "./world.mjs";

const { Call } = await import(process.env.CLIENT);

let server, host, guest, ofHost, ofGuest, failures;

function makeCall(options = {}) {
  const call = new Call({ server: "https://localhost:9000/", WebSocket: server.WebSocket, webrtc, random: () => 0.5, ...options });
  call.addEventListener("negotiation-failed", ({ detail }) => failures.push(detail));
  return call;
}

// Returns when host and guest are in a session and their first exchange is complete; the guest is polite.
async function meet(options) {
  [host, guest] = [makeCall(options), makeCall(options)];
  const opened = host.open();
  await elapse(0.1);
  const joined = guest.join((await opened).session);
  await elapse(0.1);
  await joined;
  [ofHost] = [...host.members.values()].map(({ connection }) => connection);
  [ofGuest] = [...guest.members.values()].map(({ connection }) => connection);
  for (const connection of [ofHost, ofGuest]) {
    assert.ok(connection.isNegotiated);
    connection.become("connected");
  }
}

const track = (kind) => ({ kind, stop() {} });

beforeEach(() => {
  server = new FakeServer();
  failures = [];
  FakePeerConnection.made = [];
});

afterEach(() => {
  host?.close();
  guest?.close();
  host = guest = undefined;
});

test("the guest offers, both know both kinds, and nothing more is exchanged", async () => {
  await meet();
  assert.deepEqual([ofHost.kinds, ofGuest.kinds], [["audio", "video"], ["audio", "video"]]);
  assert.deepEqual([server.count("offer"), server.count("answer")], [1, 1]);
});

test("glare: the polite side rolls back once, and both changes are negotiated", async () => {
  await meet();
  server.hold();
  host.addTrack(track("video"));
  guest.addTrack(track("audio"));
  guest.addTrack(track("video"));
  await settle();
  assert.deepEqual([ofHost.signalingState, ofGuest.signalingState], ["have-local-offer", "have-local-offer"]);
  await server.release();
  assert.deepEqual([ofHost.rollbacks, ofGuest.rollbacks], [0, 1]);
  assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
  assert.deepEqual(ofHost.kinds, ofGuest.kinds);
  assert.deepEqual(ofHost.kinds, ["audio", "video", "video", "audio", "video"]);
  assert.deepEqual(failures, []);
});

test("glare again and again leaves no side behind", async () => {
  await meet();
  for (let round = 0; round < 5; round += 1) {
    server.hold();
    host.addTrack(track("audio"));
    guest.addTrack(track("audio"));
    await settle();
    await server.release();
    assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
  }
  assert.deepEqual([ofHost.rollbacks, ofGuest.rollbacks], [0, 5]);
  assert.deepEqual(failures, []);
});

test("an offer that is rolled back before it is sent is never sent", async () => {
  await meet();
  server.hold();
  host.addTrack(track("video"));
  await settle();
  const before = server.count("offer");
  guest.addTrack(track("audio"));
  // The guest's operation starts in the same turn in which the host's offer arrives.
  await server.release();
  assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
  assert.ok(server.count("offer") - before <= 2);
  assert.deepEqual(failures, []);
});

test("ICE is restarted after 2 s of interruption, and again after 4 s more", async () => {
  await meet();
  ofHost.become("disconnected");
  await elapse(1.5);
  assert.equal(ofHost.generation, 0);
  await elapse(2);
  assert.deepEqual([ofHost.generation, ofGuest.generation], [1, 1]);
  await elapse(4);
  assert.equal(ofHost.generation, 2);
  ofHost.become("connected");
  await elapse(20);
  assert.equal(ofHost.generation, 2);
});

test("both sides restart ICE at once", async () => {
  await meet();
  server.hold();
  ofHost.become("failed");
  ofGuest.become("failed");
  await elapse(1);
  await server.release();
  assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
  assert.ok(ofHost.generation >= 1 && ofHost.generation === ofGuest.generation);
  assert.deepEqual(failures, []);
});

test("no restart while the other side is away", async () => {
  await meet();
  server.sockets[0].deliver({ type: "member-away", session: host.session, user: guest.user });
  ofHost.become("disconnected");
  await elapse(10);
  assert.equal(ofHost.generation, 0);
  server.sockets[0].deliver({ type: "member-back", session: host.session, user: guest.user });
  await elapse(3);
  assert.equal(ofHost.generation, 1);
});

test("a failed operation is reported, and the next negotiation succeeds", async () => {
  await meet();
  ofHost.failNext = "OperationError";
  host.addTrack(track("video"));
  await settle();
  assert.deepEqual(failures.map(({ operation, name }) => [operation, name]), [["local-offer", "OperationError"]]);
  assert.ok(!ofHost.isNegotiated);
  guest.addTrack(track("audio"));
  await settle();
  assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
});

test("candidates follow their description and reach the other side in their order", async () => {
  await meet();
  ofHost.find({ candidate: "one", sdpMid: "0" });
  ofHost.find({ candidate: "two", sdpMid: "0" });
  await elapse(0.05);
  ofHost.find(null);
  await settle();
  assert.deepEqual(ofGuest.candidates, ["one", "two", null]);
  assert.equal(server.count("candidates"), 2);
});

test("new TURN credentials are for the next restart of every connection", async () => {
  await meet({ configuration: { bundlePolicy: "max-bundle" } });
  const turn = { urls: ["turn:turn.example.org"], username: "u", credential: "c" };
  server.sockets[0].deliver({ type: "ice-servers", "ice-servers": [{ ...turn, expires: 600 }] });
  await settle();
  assert.deepEqual(ofHost.configuration, { iceTransportPolicy: "all", bundlePolicy: "max-bundle", iceServers: [turn] });
});

test("ICE servers that a browser refuses for one connection are reported, and are those of all others", async () => {
  await meet();
  const seen = [];
  host.addEventListener("ice-servers", ({ detail }) => seen.push(detail.type));
  ofHost.setConfiguration = () => {
    throw new DOMException("It is closed.", "InvalidStateError");
  };
  const servers = [{ urls: ["turn:turn.example.org"], username: "u", credential: "c" }];
  for (const socket of server.sockets) socket.deliver({ type: "ice-servers", "ice-servers": servers });
  await settle();
  assert.deepEqual(failures.map(({ operation, name }) => [operation, name]), [["configure", "InvalidStateError"]]);
  assert.deepEqual(seen, ["ice-servers"]);
  assert.deepEqual(ofGuest.configuration.iceServers, servers);
});

test("a camera that is switched on, exchanged and off needs no negotiation", async () => {
  await meet();
  const [first, second] = [track("video"), track("video")];
  const sent = () => ofHost.getTransceivers()[1].sender.track;
  for (const each of [first, second, null]) {
    await host.setTrack("video", each);
    assert.equal(sent(), each);
  }
  assert.equal(server.count("offer"), 1);
});

test("a screen that is added before the first offer arrives is sent beside the camera", async () => {
  [host, guest] = [makeCall(), makeCall()];
  const opened = host.open();
  await elapse(0.1);
  server.hold();
  const joined = guest.join((await opened).session);
  await elapse(0.1);
  await joined;
  const [camera, screen] = [track("video"), track("video")];
  await host.setTrack("video", camera);
  host.addTrack(screen);
  await server.release();
  [ofHost] = [...host.members.values()].map(({ connection }) => connection);
  assert.ok(ofHost.isNegotiated);
  assert.deepEqual(ofHost.kinds, ["audio", "video", "video"]);
  assert.deepEqual(ofHost.getTransceivers().map(({ sender }) => sender.track), [null, camera, screen]);
});

test("a command that throws is reported, and those after it are carried out", async () => {
  await meet();
  ofHost.restartIce = () => {
    throw new DOMException("It is closed.", "InvalidStateError");
  };
  host.restartIce();
  host.addTrack(track("video"));
  await settle();
  assert.deepEqual(failures.map(({ operation, name }) => [operation, name]), [["restart-ice", "InvalidStateError"]]);
  assert.ok(ofHost.isNegotiated && ofGuest.isNegotiated);
  assert.equal(ofGuest.kinds.length, 3);
});

test("a browser that makes no peer connection enters the session all the same, and reports it", async () => {
  class NoPeerConnection {
    constructor() {
      throw new DOMException("There are too many.", "UnknownError");
    }
  }
  [host, guest] = [makeCall(), makeCall({ webrtc: { ...webrtc, RTCPeerConnection: NoPeerConnection } })];
  host.open();
  await elapse(0.1);
  let joined;
  guest.join(host.session).then((event) => (joined = event));
  await elapse(0.1);
  assert.equal(joined?.session, host.session);
  const { user } = host;
  assert.deepEqual(failures, [{ type: "negotiation-failed", user, operation: "create", name: "UnknownError", message: "There are too many." }]);
  assert.equal(guest.members.size, 0);
});

test("the events of a call are iterated until its end, with the member that they name", async () => {
  await meet();
  const seen = [];
  const done = (async () => {
    for await (const event of host) seen.push([event.type, event.member?.user]);
  })();
  guest.send("hello", [...guest.members.values()][0]);
  await settle();
  const { user } = guest;
  server.sockets[0].deliver({ type: "member-left", session: host.session, user, reason: "left" });
  host.close();
  await done;
  assert.deepEqual(seen, [["message", user], ["connection", user], ["member-left", user], ["ended", undefined], ["disconnected", undefined]]);
});

test("a member whom only the server lost stays until the connection is lost", async () => {
  await meet();
  server.sockets[0].deliver({ type: "member-left", session: host.session, user: guest.user, reason: "gone" });
  assert.equal(host.members.size, 1);
  ofHost.become("disconnected");
  assert.equal(host.members.size, 0);
});

test("a call without a WebSocket, or for another kind of address, is refused at once", () => {
  for (const options of [{ WebSocket: null }, { server: "file:///srv/page/" }]) assert.throws(() => makeCall(options), TypeError);
});

test("a socket that cannot be made is tried again", async () => {
  const { WebSocket } = server;
  let forbidden = true;
  class Forbidden extends WebSocket {
    constructor() {
      if (forbidden) throw new DOMException("The policy of the page forbids it.", "SecurityError");
      super();
    }
  }
  host = makeCall({ WebSocket: Forbidden });
  const interruptions = [];
  host.addEventListener("interrupted", ({ detail }) => interruptions.push(detail.seconds));
  host.open();
  await elapse(0.1);
  assert.deepEqual(interruptions, [0.25]);
  forbidden = false;
  await elapse(0.3);
  assert.ok(host.session);
});

test("a refused join rejects with its code, and another one is possible", async () => {
  host = makeCall();
  server.refusal = "unknown-session";
  for (let time = 0; time < 2; time += 1) {
    const refused = assert.rejects(host.join("7q2-m9rt-6zc"), { name: "RefusedError", code: "unknown-session" });
    await elapse(0.05);
    await refused;
  }
  assert.equal(server.count("join"), 2);
});

test("who waits in the lobby can leave it, and can close the call", async () => {
  server.lobby = true;
  guest = makeCall();
  for (const leave of [() => guest.leave(), () => guest.close()]) {
    let code;
    guest.join("7Q2M9RT6ZC").catch((error) => ({ code } = error));
    await elapse(0.1);
    leave();
    await settle();
    assert.equal(code, "left");
    assert.deepEqual([server.received.at(-1).type, server.received.at(-1).session], ["leave", "7Q2M9RT6ZC"]);
  }
  assert.deepEqual([server.count("join"), server.count("leave")], [2, 2]);
});

test("after a crash of the server the guest comes back with its ticket and its connection", async () => {
  await meet();
  const [, socket] = server.sockets;
  socket.lose();
  await elapse(0.5);
  const resumed = server.received.at(-1);
  assert.deepEqual([resumed.type, resumed.connected], ["resume", ["USER1"]]);
  const [, , again] = server.sockets;
  again.welcome({ resumed: "nothing", id: "greeting" });
  await settle();
  const request = server.received.filter(({ type }) => type === "join").at(-1);
  assert.deepEqual([request.ticket, request.connected], ["ticket", ["USER1"]]);
  assert.equal([...guest.members.values()][0].connection, ofGuest);
});

test("a session that the server has opened although its reply was lost in a crash is left", async () => {
  host = makeCall();
  server.isSilent = true;
  let code;
  host.open().catch((error) => ({ code } = error));
  await elapse(0.1);
  server.sockets[0].lose();
  await elapse(0.5);
  const [, again] = server.sockets;
  again.welcome({ resumed: "membership", id: "greeting" });
  const session = "7Q2M9RT6ZC";
  const members = [{ user: "USER3", role: "guest", polite: true, "offers-first": false, base: 0 }];
  again.deliver({ type: "opened", session, capacity: 3, locked: false, lobby: false, ticket: "ticket", members });
  again.deliver({ type: "member-joined", session, member: { ...members[0], user: "USER4" } });
  server.isSilent = false;
  await settle();
  assert.deepEqual([code, host.session, host.members.size], ["no-reply", null, 0]);
  assert.deepEqual(server.received.filter(({ type }) => type === "leave").map((message) => message.session), [session]);
  const opened = host.open();
  await settle();
  assert.equal((await opened).type, "opened");
});

test("camera and microphone are sent as the browser gives them, and the ones before are stopped", async () => {
  const stopped = {};
  const camera = (name) => ({ kind: "video", stop: () => (stopped[name] = true) });
  const [first, second, late] = [camera("first"), camera("second"), camera("late")];
  const given = [[track("audio"), first], [second], [late]];
  const asked = [];
  const getUserMedia = async (constraints) => (asked.push(constraints), { getTracks: () => given.shift() });
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia } }, configurable: true });
  await meet();
  await host.useMedia();
  await host.useMedia({ video: { deviceId: "front" } });
  assert.deepEqual(asked, [{ audio: true, video: true }, { video: { deviceId: "front" } }]);
  assert.deepEqual(stopped, { first: true });
  assert.deepEqual(ofHost.getTransceivers().map(({ sender }) => sender.track), [host.tracks.get("audio"), second]);
  assert.deepEqual(host.stream.getTracks(), [host.tracks.get("audio"), second]);
  const asking = host.useMedia();
  host.close();
  assert.deepEqual(stopped, { first: true, second: true });
  await asking;
  assert.deepEqual(stopped, { first: true, second: true, late: true });
});

test("elements play through the speaker that was chosen", async () => {
  host = makeCall();
  const chosen = [];
  const element = { setSinkId: async (deviceId) => void chosen.push(deviceId) };
  await host.useSpeaker("headset", element, element);
  assert.deepEqual(chosen, ["headset", "headset"]);
});

// A storage with one entry.
function makeStorage(text = null) {
  const storage = { text, getItem: () => storage.text, setItem: (key, value) => void (storage.text = value) };
  return storage;
}

// Returns the storage of a call that is in a session, as the next page finds it.
async function openStored() {
  const storage = makeStorage();
  host = makeCall({ storage });
  const opened = host.open();
  await elapse(0.1);
  await opened;
  return storage;
}

test("what another program has stored is no identity, and is replaced", async () => {
  for (const text of ["{broken", "null", "5", '"text"', "[]"]) {
    server = new FakeServer();
    const storage = makeStorage(text);
    const call = makeCall({ storage });
    assert.equal(call.stored, undefined);
    await assert.rejects(call.restore(), { code: "unknown-session" });
    const opened = call.open();
    await elapse(0.1);
    assert.equal(makeCall({ storage }).stored, (await opened).session);
    call.close();
  }
});

test("what is stored belongs to one server, also where pages of one origin use several under their paths", async () => {
  const texts = new Map();
  const storage = { getItem: (key) => texts.get(key) ?? null, setItem: (key, text) => void texts.set(key, text) };
  host = makeCall({ storage, server: "https://localhost:9000/calls/" });
  const opened = host.open();
  await elapse(0.1);
  const { session } = await opened;
  assert.deepEqual([...texts.keys()], ["signald wss://localhost:9000/calls/ws"]);
  for (const same of ["wss://localhost:9000/calls/ws", "https://localhost:9000/calls", "https://localhost:9000/calls/index.html?a#b"]) {
    assert.equal(makeCall({ storage, server: same }).stored, session);
  }
  for (const path of ["", "other/", "calls/b/", "calls/b", "callsx"]) {
    assert.equal(makeCall({ storage, server: `https://localhost:9000/${path}` }).stored, undefined);
  }
});

test("a storage that throws is of no concern to the call", async () => {
  const full = () => {
    throw new DOMException("It is full.", "QuotaExceededError");
  };
  host = makeCall({ storage: { getItem: full, setItem: full } });
  assert.equal(host.stored, undefined);
  let session;
  host.open().then((event) => ({ session } = event));
  await elapse(0.1);
  assert.equal(host.session, session);
  assert.ok(session);
});

test("a call that has left cannot be restored, and can open a session", async () => {
  const storage = await openStored();
  const { session } = host;
  guest = makeCall({ storage });
  const restored = guest.restore();
  await elapse(0.1);
  const [, socket] = server.sockets;
  socket.welcome({ resumed: "membership", id: "greeting" });
  socket.deliver({ type: "joined", session, capacity: 2, locked: false, lobby: false, role: "host", members: [] });
  await restored;
  await assert.rejects(guest.restore(), { code: "already-member" });
  assert.equal(guest.session, session);
  socket.deliver({ type: "left", session });
  await assert.rejects(guest.restore(), { code: "unknown-session" });
  const opened = guest.open();
  await elapse(0.1);
  assert.equal((await opened).type, "opened");
});

test("a call that enters a session goes on with that when it is to be restored", async () => {
  host = makeCall({ storage: makeStorage(JSON.stringify({ identity: "{}", session: "0000000000", role: "guest" })) });
  let session;
  host.open().then((event) => ({ session } = event));
  await assert.rejects(host.restore(), { code: "already-member" });
  await elapse(0.1);
  assert.ok(session);
  assert.deepEqual([host.session, host.role], [session, "host"]);
});

test("with a damaged identity the call shows its ticket", async () => {
  const storage = await openStored();
  guest = makeCall({ storage: makeStorage(JSON.stringify({ ...JSON.parse(storage.text), identity: "{broken" })) });
  let restored;
  guest.restore().then((event) => (restored = event));
  await elapse(2);
  const { type, ticket, session } = server.received.at(-1);
  assert.deepEqual([type, ticket, session], ["open", "ticket", host.session]);
  assert.equal(restored?.type, "opened");
});

test("a call that is connected already can be restored", async () => {
  const storage = makeStorage(JSON.stringify({ identity: "{}", session: "7Q2M9RT6ZC", role: "host", ticket: "ticket.1" }));
  host = makeCall({ storage });
  server.refusal = "unknown-session";
  const refused = assert.rejects(host.join("0000000000"), { code: "unknown-session" });
  await elapse(0.1);
  await refused;
  let restored;
  host.restore().then((event) => (restored = event));
  await elapse(2);
  assert.equal(server.received.at(-1).ticket, "ticket.1");
  assert.equal(restored?.type, "opened");
});

test("after a reload the call comes back into the session with its stored identity", async () => {
  const storage = await openStored();
  const { session } = host;
  const again = makeCall({ storage });
  assert.equal(again.stored, session);
  const restored = again.restore();
  await elapse(0.1);
  assert.equal(server.received.at(-1).type, "resume");
  const [, socket] = server.sockets;
  const resumed = { session, capacity: 2, locked: false, lobby: false, role: "host", members: [], ticket: "ticket.2" };
  socket.welcome({ resumed: "membership", id: "greeting" });
  socket.deliver({ type: "joined", ...resumed });
  assert.equal((await restored).ticket, "ticket.2");
  assert.deepEqual([again.session, again.role], [session, "host"]);
  again.close();
  assert.equal(makeCall({ storage }).stored, undefined);
});

test("a session of which the server says nothing after a resume is entered again", async () => {
  await meet();
  server.sockets[1].lose();
  await elapse(0.5);
  server.sockets[2].welcome({ resumed: "membership", id: "greeting" });
  await settle();
  const joins = server.count("join");
  await elapse(3);
  assert.equal(server.count("join"), joins + 1);
});
