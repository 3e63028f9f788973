// The sessions of a client, and one negotiator for each other member, kept up to date by the server's events.
// A server that crashed knows the members under new user ids when they come back. The application knows a member by one
// id for as long as it is in the session: this module translates.
import { Negotiator } from "./negotiator.mjs";

const EXPECTED_OUTSIDE = ["opened", "joined", "left", "not-admitted", "waiting"];
const FORWARDED = ["offer", "answer", "candidates"];

export function makeSessions(rollsBack) {
  const current = new Map(); // Negotiators by session, and then by the id under which the application knows the member.
  const former = new Map(); // Closed ones, of members who may come back with their peer connections.
  const tickets = new Map();
  const knownIds = new Map(); // From the server's ids to the application's, and back.
  const serverIds = new Map();

  const negotiator = (session, user) => current.get(session)?.get(user) ?? null;
  const knownId = (user) => knownIds.get(user) ?? user;
  const serverId = (user) => serverIds.get(user) ?? user;

  function close(session, user, mayReturn) {
    const closed = negotiator(session, user);
    if (!closed) return;
    current.get(session).delete(user);
    closed.close();
    if (!former.has(session)) former.set(session, new Map());
    if (mayReturn) former.get(session).set(user, closed);
  }

  function closeAll(session) {
    for (const user of [...(current.get(session)?.keys() ?? [])]) close(session, user, true);
    current.delete(session);
  }

  // Returns the id under which the application knows a member, who may have come back under another one. If two members
  // show the same ticket, the first is the former member; the second is treated as a stranger.
  function recognise(session, member) {
    const known = knownId(member.user);
    const before = knownId(member.former);
    if (known !== member.user || !former.get(session)?.has(before)) return known;
    knownIds.set(member.user, before);
    serverIds.set(before, member.user);
    return before;
  }

  function add(session, member, localUser) {
    const remoteUser = member.user;
    member.user = recognise(session, member);
    const kept = former.get(session)?.get(member.user)?.kept();
    former.get(session)?.delete(member.user);
    member.connected &&= !!kept;
    const { "offers-first": offersFirst, polite, renegotiates, base } = member;
    const pair = { session, localUser, remoteUser, offersFirst, polite, renegotiates, rollsBack, base };
    current.get(session).set(member.user, new Negotiator({ ...pair, former: member.connected ? kept : undefined }));
  }

  return {
    negotiator,
    knownId,
    serverId,
    ticket: (session) => tickets.get(session) ?? null,
    // Forgets every session, but not its ticket and how far the negotiations were.
    clear: () => [...current.keys()].forEach(closeAll),
    // Returns the server's ids of those users whose negotiations another negotiator could continue.
    established(users) {
      const tables = [...current.values(), ...former.values()];
      return users.filter((user) => tables.some((table) => table.get(user)?.kept())).map(serverId);
    },
    // Applies an event of the server, and returns the results that follow from it.
    received(message, localUser) {
      const { type, session, member, from } = message;
      if (!EXPECTED_OUTSIDE.includes(type) && !current.has(session)) return [];
      if (from) {
        const user = (message.from = knownId(from));
        const found = negotiator(session, user);
        if (!found) return [];
        if (FORWARDED.includes(type)) {
          const commands = found.messageReceived(message);
          return commands.length ? [{ type: "negotiate", session, user, commands }] : [];
        }
      }
      if (message.ticket) tickets.set(session, message.ticket);
      if (type === "opened" || type === "joined") {
        closeAll(session);
        current.set(session, new Map());
        for (const each of message.members) add(session, each, localUser);
      } else if (type === "left" || type === "not-admitted" || type === "ended") {
        closeAll(session);
        former.delete(session);
        tickets.delete(session);
      } else if (member) {
        close(session, knownId(member.user), true);
        add(session, member, localUser);
      } else if (type === "member-left") {
        close(session, knownId(message.user), message.reason === "gone");
      }
      if (message.user) message.user = knownId(message.user);
      return [message];
    },
  };
}
