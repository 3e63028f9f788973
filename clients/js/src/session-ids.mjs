// Session ids as people type, read and paste them (docs/protocol.md, "Values").
const SESSION_LENGTH = 10;

// Returns the canonical id in a typed id, or in a link with the id after `#` and before any `&`; throws RangeError where
// there is none.
export function findSessionId(text) {
  const stated = text.slice(text.lastIndexOf("#") + 1).split("&")[0];
  const symbols = stated.replace(/[-\s]/g, "").toUpperCase().replace(/[IL]/g, "1").replace(/O/g, "0");
  if (!/^[0-9A-HJKMNP-TV-Z]*$/.test(symbols) || symbols.length !== SESSION_LENGTH) {
    throw new RangeError("A session ID has ten letters and digits, like ABC-DEFG-HJK, and no letter U.");
  }
  return symbols;
}

export const groupSessionId = (session) => `${session.slice(0, 3)}-${session.slice(3, 7)}-${session.slice(7)}`;
