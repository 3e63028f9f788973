// Reads the server's messages: plain objects with the keys of docs/protocol.md, checked against the generated shapes.
import { EVENTS, VALUES } from "./messages.mjs";

export class BadMessageError extends Error {}

const TESTS = {
  s: (value) => typeof value === "string",
  b: (value) => typeof value === "boolean",
  n: (value) => typeof value === "number",
  i: Number.isInteger,
};

// The form of a shape stands at the head of messages.mjs.
function parseShape(shape) {
  return shape.split(" ").map((field) => /^([\w-]+):(\w+)(\*?)([?+-]?)$/.exec(field).slice(1));
}

const parseShapes = (shapes) => new Map(Object.entries(shapes).map(([name, shape]) => [name, parseShape(shape)]));

const values = parseShapes(VALUES);
const events = parseShapes(EVENTS);

function fail(name, key) {
  throw new BadMessageError(`${name}: ${key} is missing or wrong.`);
}

// Returns the known keys of an object with their defaults. Null counts as absent, and other keys are ignored.
function readFields(fields, plain, name) {
  if (plain === null || typeof plain !== "object") fail(name, "object");
  const result = {};
  for (const [key, kind, list, mark] of fields) {
    const value = Object.hasOwn(plain, key) ? plain[key] : null;
    const read = (one) => (values.has(kind) ? readValue(kind, one) : TESTS[kind](one) ? one : fail(name, key));
    if (value !== null) result[key] = !list ? read(value) : Array.isArray(value) ? value.map(read) : fail(name, key);
    else if (!mark) fail(name, key);
    else if (mark !== "?") result[key] = mark === "+";
    else if (list) result[key] = [];
  }
  return result;
}

export const readValue = (kind, plain) => readFields(values.get(kind), plain, kind);

// Returns the message in a frame; null when this client does not know its type. Throws BadMessageError.
export function decode(text) {
  let plain = null;
  try {
    plain = JSON.parse(text);
  } catch {
    // Refused like any other text that is not an object.
  }
  const type = plain?.type;
  if (typeof type !== "string") fail("message", "type");
  return events.has(type) ? { type, ...readFields(events.get(type), plain, type) } : null;
}

// A key whose value is null is omitted (docs/protocol.md, "Connection").
export const encode = (message) => JSON.stringify(message, (key, value) => value ?? undefined);

export const byteLength = (text) => new TextEncoder().encode(text).length;
