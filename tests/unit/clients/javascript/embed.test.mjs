// The call page in another page, with a document and a frame that the tests script: EMBED names the module.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

const { EmbeddedCall, callAddress, embed } = await import(process.env.EMBED);

const SERVER = "https://calls.example:9000/team/";
const ORIGIN = "https://calls.example:9000";

let page, frame, sent, children;

/** A message as the browser reports it. */
const message = (data, changes = {}) =>
  page.dispatchEvent(Object.assign(new Event("message"), { source: frame.contentWindow, origin: ORIGIN, data, ...changes }));

const answer = (type, values = {}) => message({ signald: 1, type, ...values });

/** Lets time pass; in steps, since Node's clock starts what a timer starts at the end of a step. */
const pass = (milliseconds) => {
  for (let step = 0; step < milliseconds; step += 50) mock.timers.tick(50);
};

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  sent = [];
  children = [];
  page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.document = {
    createElement(tag) {
      assert.equal(tag, "iframe");
      frame = Object.assign(new EventTarget(), {
        style: {},
        contentWindow: { postMessage: (data, origin) => sent.push([data, origin]) },
        remove: () => (frame.contentWindow = null),
      });
      return frame;
    },
  };
});

afterEach(() => mock.timers.reset());

const make = (options) => embed({ append: (child) => children.push(child) }, SERVER, options);

test("the address has the session and what differs from the defaults, each encoded", () => {
  assert.equal(callAddress(SERVER), SERVER);
  assert.equal(callAddress(`${SERVER}#old`, "7Q2M9RT6ZC"), `${SERVER}#7Q2M9RT6ZC`);
  const options = { name: "Ann & Bob#1", microphone: false, camera: true, preview: false, language: "ar", other: "x" };
  const address = callAddress(SERVER, "7Q2M9RT6ZC", options);
  assert.equal(address, `${SERVER}#7Q2M9RT6ZC&name=Ann%20%26%20Bob%231&microphone=off&preview=off&language=ar`);
  assert.equal(callAddress(SERVER, "", { name: "", token: "a.b-c_d" }), `${SERVER}#&token=a.b-c_d`);
  assert.equal(callAddress(SERVER, null, { camera: false }), `${SERVER}#&camera=off`);
});

test("what follows the id in a link that somebody else made stays out of the address", () => {
  const pasted = "7Q2M9RT6ZC&token=evil&name=Boss";
  assert.equal(callAddress(SERVER, pasted, { token: "mine" }), `${SERVER}#7Q2M9RT6ZC&token=mine`);
});

test("the frame may use what a call needs, for the server's origin alone", () => {
  const call = make({ session: "7Q2M9RT6ZC", title: "Team" });
  assert.deepEqual(children, [frame]);
  assert.equal(call.frame, frame);
  assert.equal(frame.title, "Team");
  assert.equal(frame.src, `${SERVER}#7Q2M9RT6ZC`);
  const allowed = frame.allow.split("; ");
  for (const feature of ["camera", "microphone", "display-capture", "fullscreen", "autoplay", "speaker-selection"])
    assert.ok(allowed.includes(`${feature} ${ORIGIN}`), feature);
  assert.ok(allowed.every((each) => each.endsWith(ORIGIN)));
});

test("it greets from the load of the frame until the page has answered, and again after another load", () => {
  const call = make();
  pass(1000);
  assert.equal(sent.length, 0);
  frame.dispatchEvent(new Event("load"));
  pass(500);
  assert.deepEqual(sent, Array(3).fill([{ signald: 1, type: "hello" }, ORIGIN]));
  answer("ready");
  pass(1000);
  assert.deepEqual([sent.length, call.ready], [3, true]);
  frame.dispatchEvent(new Event("load"));
  assert.deepEqual([sent.length, call.ready], [4, false]);
});

test("a page that does not answer for half a minute is an error, once, and is greeted more rarely from then on", () => {
  const call = make();
  const errors = [];
  call.addEventListener("error", ({ detail }) => errors.push(detail));
  frame.dispatchEvent(new Event("load"));
  pass(29_900);
  assert.deepEqual([sent.length, errors.length], [120, 0]);
  pass(100);
  assert.deepEqual([sent.length, errors], [121, [{ about: "frame", code: "no-answer", message: "" }]]);
  pass(60_000);
  assert.deepEqual([sent.length, errors.length, call.ready], [133, 1, false]);
  answer("ready");
  pass(60_000);
  assert.deepEqual([sent.length, call.ready], [133, true]);
});

test("commands are messages for the server's origin alone", () => {
  const call = make();
  call.join({ session: "7Q2M9RT6ZC", name: "Ann" });
  call.join();
  call.hangUp();
  call.setMicrophone(false);
  call.setCamera(true);
  call.chooseDevice("speaker", "id");
  assert.deepEqual(sent.map(([data]) => data), [
    { signald: 1, type: "join", session: "7Q2M9RT6ZC", name: "Ann", password: "" },
    { signald: 1, type: "join", session: "", name: "", password: "" },
    { signald: 1, type: "hang-up" },
    { signald: 1, type: "microphone", on: false },
    { signald: 1, type: "camera", on: true },
    { signald: 1, type: "choose-device", kind: "speaker", device: "id" },
  ]);
  assert.ok(sent.every(([, origin]) => origin === ORIGIN));
});

test("events become properties and events of the call", () => {
  const call = make();
  const seen = [];
  for (const type of ["ready", "state", "members", "media", "devices", "error"])
    call.addEventListener(type, ({ detail }) => seen.push([type, detail]));
  const state = { state: "connected", session: "7Q2M9RT6ZC", role: "guest", link: "", outcome: "" };
  const devices = { camera: [{ device: "a", label: "A", used: true }], microphone: [], speaker: [] };
  answer("state", state);
  answer("members", { members: [{ user: "u" }] });
  answer("media", { microphone: true, camera: false, screen: false });
  answer("devices", { devices });
  answer("error", { about: "call", code: "session-full", message: "This call is full." });
  assert.deepEqual(call.state, state);
  assert.deepEqual(call.members, [{ user: "u" }]);
  assert.deepEqual(call.media, { microphone: true, camera: false, screen: false });
  assert.deepEqual(call.devices, devices);
  assert.deepEqual(seen.map(([type]) => type), ["state", "members", "media", "devices", "error"]);
  assert.deepEqual(seen[4][1], { about: "call", code: "session-full", message: "This call is full." });
});

test("messages of others, and of other kinds, do nothing", () => {
  const call = make();
  let events = 0;
  for (const type of ["ready", "state", "other"]) call.addEventListener(type, () => (events += 1));
  const state = { signald: 1, type: "state", state: "connected" };
  message(state, { origin: "https://evil.example" });
  message(state, { source: {} });
  message(state, { source: null });
  for (const odd of [null, undefined, 1, "state", [], {}, { ...state, signald: 2 }, { ...state, type: 1 }, { signald: 1, type: "other" }])
    message(odd);
  assert.equal(events, 0);
  assert.equal(call.state.state, "loading");
});

test("a call that is removed neither greets nor hears any more", () => {
  const call = new EmbeddedCall({ append() {} }, SERVER);
  frame.dispatchEvent(new Event("load"));
  call.remove();
  pass(1000);
  answer("ready");
  call.hangUp();
  assert.deepEqual([sent.length, call.ready], [1, false]);
});
