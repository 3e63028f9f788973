// The requests that wait for a reply, so that a reply or a refusal can name its request.
const NO_REPLY_AFTER = 10; // Seconds after a resume for the reply to a request that the server had before.
const WITHOUT_REPLY = ["offer", "message"]; // Forgotten some time after the server acknowledged them.
const WITHOUT_ID = ["answer", "candidates", "ice-error"]; // Nobody needs to know of their refusal.

const hasReply = ({ message }) => !WITHOUT_REPLY.includes(message.type);

// An entry is {message, request}: the message with its id and the server's user ids, and the caller's object.
export function makePendingRequests() {
  const pending = new Map();
  const deadlines = new Map();
  let count = 0;
  let acknowledgedIds = [];

  function take(id) {
    const entry = pending.get(id);
    deadlines.delete(id);
    pending.delete(id);
    return entry;
  }

  return {
    take,
    register(entry) {
      if (WITHOUT_ID.includes(entry.message.type)) return;
      entry.message.id = String(++count);
      pending.set(entry.message.id, entry);
    },
    // One `ack` more is waited for, because a server acknowledges what it has received, and may refuse it after that.
    markAcknowledged(entries) {
      acknowledgedIds.forEach(take);
      acknowledgedIds = entries.filter((entry) => !hasReply(entry)).map(({ message }) => message.id);
    },
    expectReplies(unsent, now) {
      for (const [id, entry] of pending) {
        if (hasReply(entry) && !unsent.includes(entry)) deadlines.set(id, now + NO_REPLY_AFTER);
      }
    },
    takeOverdue: (now) => [...pending.keys()].filter((id) => now >= deadlines.get(id)).map(take),
    // Forgets all, and returns those that were lost, in their order.
    takeLost(unsent) {
      const entries = [...pending.values()];
      pending.clear();
      deadlines.clear();
      acknowledgedIds = [];
      const unanswered = entries.filter((entry) => hasReply(entry) && !unsent.includes(entry));
      return [...unanswered, ...unsent.filter((entry) => !entry.message.id || entries.includes(entry))];
    },
  };
}
