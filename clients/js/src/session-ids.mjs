// Session ids as people type, read and paste them: ten symbols of Crockford's base32 (docs/protocol.md, "Values").

// Returns the canonical id in a typed id, or in a link with the id after `#` and before any `&`; throws RangeError where
// there is none.
export function findSessionId(text) {
  const stated = text.slice(text.lastIndexOf("#") + 1).split("&")[0];
  const symbols = stated.replace(/[-\s]/g, "").toUpperCase().replace(/[IL]/g, "1").replace(/O/g, "0");
  if (!/^[0-9A-HJKMNP-TV-Z]{10}$/.test(symbols)) throw new RangeError("A session ID is like ABC-DEFG-HJK.");
  return symbols;
}

export const groupSessionId = (session) => `${session.slice(0, 3)}-${session.slice(3, 7)}-${session.slice(7)}`;
