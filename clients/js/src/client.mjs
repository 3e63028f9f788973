export { Call, RefusedError } from "./call.mjs";
export { Rejoining } from "./rejoining.mjs";
export { findSessionId, groupSessionId } from "./session-ids.mjs";
export { SignalingClient, SUBPROTOCOL } from "./signaling.mjs";
