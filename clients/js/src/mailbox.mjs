// The outbox and the count of received messages, for replay and acknowledgement (docs/protocol.md, "Resume").
const ACK_MESSAGES = 16;
const ACK_BYTES = 32 * 1024;
const ACK_SECONDS = 4; // The protocol asks for 5, and the clock ticks once a second.
const OUTBOX_MESSAGES = 256;
const OUTBOX_BYTES = 256 * 1024;

export const exceedsOutbox = (messages, bytes) => messages >= OUTBOX_MESSAGES || bytes > OUTBOX_BYTES;

export function makeMailbox() {
  let resumable, received, sent, outbox, outboxBytes, acknowledged, unacknowledgedBytes, since;

  const self = {
    // Empties the outbox and counts from 0; without `resumable` the server acknowledges nothing.
    restart(isResumable) {
      resumable = isResumable;
      received = sent = outboxBytes = acknowledged = unacknowledgedBytes = 0;
      outbox = []; // Entries {entry, frame, size}, in the order of sending.
      since = null; // When the first message arrived that is not acknowledged.
    },
    receivedCount: () => received,
    isFull: (size) => exceedsOutbox(outbox.length, outboxBytes + size),
    recordSent(entry, frame, size) {
      sent += 1;
      if (!resumable) return;
      outbox.push({ entry, frame, size });
      outboxBytes += size;
    },
    // Removes and returns the entries that the server has, so many in all; null when fewer were sent.
    removeAcknowledged(count) {
      if (count > sent) return null;
      const removed = outbox.splice(0, Math.max(0, count - (sent - outbox.length)));
      for (const { size } of removed) outboxBytes -= size;
      return removed.map(({ entry }) => entry);
    },
    unsentFrames: () => outbox.map(({ frame }) => frame),
    unsentEntries: () => outbox.map(({ entry }) => entry),
    // Counts a message, and returns whether to acknowledge at once.
    recordReceived(size, now) {
      received += 1;
      unacknowledgedBytes += size;
      since ??= now;
      return received - acknowledged >= ACK_MESSAGES || unacknowledgedBytes >= ACK_BYTES;
    },
    isAckOverdue: (now) => since !== null && now - since >= ACK_SECONDS,
    takeAckCount() {
      unacknowledgedBytes = 0;
      since = null;
      return (acknowledged = received);
    },
  };
  self.restart(false);
  return self;
}
