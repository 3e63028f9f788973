// State machine of the client's connection: when to open a socket, and whether the server still answers.
// All times are seconds; docs/behaviours.md lists the figures.
const FIRST_BACK_OFF = 0.5;
const MAX_BACK_OFF = 10;
const STEADY_AFTER = 10; // The back-off starts anew after a connection that lasted so long.
const OPEN_TIMEOUT = 10;
const RESTART_TIMEOUT = 60; // The socket may stand in the queue of a server that is still starting.
const PING_AFTER = 15;
const SILENT_AFTER = 10;
const PROBE_TIMEOUT = 3;

const TRANSITIONS = {
  closed: { wanted: "connecting" },
  connecting: { opened: "greeting", lost: "connecting", ended: "closed" },
  greeting: { welcomed: "ready", lost: "connecting", ended: "closed" },
  ready: { lost: "connecting", ended: "closed" },
};

// Full jitter over a bounded exponential ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
export const backOff = (random, first, attempts) => random() * Math.min(MAX_BACK_OFF, first * 2 ** Math.min(attempts, 10));

export function makeConnection(random) {
  let attempts = 0;
  let restarting = false;
  let delay = 0; // From `since` to the planned attempt.
  let since = null; // Null: the next tick sets it.
  let expectsAnswer = false;
  let answerTimeout = SILENT_AFTER;
  let welcomedAt = 0;
  let tickedAt = 0;

  function startTimer(now, seconds) {
    since = now;
    delay = seconds;
    expectsAnswer = self.state === "greeting";
    answerTimeout = restarting && expectsAnswer ? RESTART_TIMEOUT : SILENT_AFTER;
  }

  // Takes the transition of the table; returns false when the event means nothing in this state.
  function step(event, now, seconds = 0) {
    const after = TRANSITIONS[self.state][event];
    if (!after) return false;
    self.state = after;
    startTimer(now, seconds);
    return true;
  }

  const self = {
    state: "closed",
    openTimeout: () => (restarting ? RESTART_TIMEOUT : OPEN_TIMEOUT),
    expectRestart: () => (restarting = true),
    start() {
      attempts = 0;
      return step("wanted", null);
    },
    opened: (now) => step("opened", now),
    welcomed(now) {
      welcomedAt = now;
      restarting = false;
      step("welcomed", now);
    },
    // Returns the seconds until the next attempt, null where no connection was wanted.
    lost(now, after) {
      if (self.state === "ready" && now - welcomedAt >= STEADY_AFTER) attempts = 0;
      const jittered = backOff(random, FIRST_BACK_OFF, attempts);
      const seconds = after ?? jittered;
      if (!step("lost", now, seconds)) return null;
      attempts += 1;
      return seconds;
    },
    end: () => step("ended", null),
    received: (now) => self.state === "ready" && startTimer(now, 0),
    // Returns "ping", "reconnect" or null, after a hint that the network changed.
    probe(now) {
      if (self.state === "greeting" || self.state === "ready") {
        startTimer(now, 0);
        expectsAnswer = true;
        answerTimeout = PROBE_TIMEOUT;
        return self.state === "ready" ? "ping" : null;
      }
      if (self.state === "closed" || since === null) return null;
      const running = now - since - delay;
      if (running >= 0 && running < PROBE_TIMEOUT) return null; // It uses the new network already.
      startTimer(now, 0);
      return "reconnect";
    },
    // Returns "ping", "silent" or null.
    tick(now) {
      const slept = now - tickedAt >= SILENT_AFTER;
      tickedAt = now;
      if (self.state === "closed") return null;
      since ??= now;
      const silence = now - since - delay;
      if (self.state === "connecting") return silence >= self.openTimeout() ? "silent" : null;
      // After the sleep of a phone or tab, the silence says nothing about the server.
      if (slept && self.state === "ready") expectsAnswer = false;
      if (expectsAnswer) return silence >= answerTimeout ? "silent" : null;
      if (!slept && silence < PING_AFTER) return null;
      expectsAnswer = true;
      since = now;
      return "ping";
    },
  };
  return self;
}
