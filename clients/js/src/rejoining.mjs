// The timer of a return into a session that the server has forgotten (docs/protocol.md, "Rejoining").
import { backOff } from "./connection.mjs";

const RETURN_SECONDS = 60;
const FIRST_RETRY = 1; // Seconds: the bound of the back-off before the second request.
const TRANSIENT_REFUSALS =
  "decision-unavailable internal-error no-reply not-connected session-full too-many-new-sessions too-many-passwords";

export class Rejoining {
  active = false;

  constructor(random) {
    let endsAt, attempts, askAt;

    Object.assign(this, {
      start(now) {
        this.active = true;
        endsAt = now + RETURN_SECONDS;
        attempts = 0;
        askAt = null;
      },
      stop() {
        this.active = false;
      },
      // Returns whether the request is to be made again, which `tick` says when it is due.
      refused(code, now) {
        if (!this.active || !TRANSIENT_REFUSALS.split(" ").includes(code)) return false;
        askAt = now + backOff(random, FIRST_RETRY, attempts++);
        return true;
      },
      // Returns "ask", "give-up" or null.
      tick(now) {
        if (!this.active) return null;
        this.active = now < endsAt;
        if (!this.active) return "give-up";
        if (askAt === null || now < askAt) return null;
        askAt = null;
        return "ask";
      },
    });
  }
}
