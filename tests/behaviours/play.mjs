// Plays scripted exchanges with the JavaScript client: `node play.mjs CLIENT.mjs`, scripts on standard input.
import { readFileSync } from "node:fs";

const { SignalingClient, Rejoining } = await import(process.argv[2]);

function makeRandom(numbers = [0.5]) {
  let next = 0;
  return () => numbers[next++ % numbers.length];
}

const without = (object, ...keys) => Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
const padded = (message, pad) => (pad === undefined ? message : { ...message, content: "x".repeat(pad) });

function plainCommand(command) {
  return command.type === "negotiation-failed" ? without(command, "message") : command;
}

function plainResult(result) {
  switch (result.type) {
    case "send-frame":
      return { send: JSON.parse(result.text) };
    case "close-socket":
      return { close: [result.code, result.reason] };
    case "connect-after":
      return { connect: result.seconds };
    case "store-identity":
      return { store: JSON.parse(result.text) };
    case "negotiate":
      return { negotiate: [result.session, result.user, result.commands.map(plainCommand)] };
    case "refused":
    case "invalid-message":
      return { event: without(result, "message", "request") };
    default:
      return { event: without(result, "request") };
  }
}

const REPORTS = {
  needed: (negotiator) => negotiator.negotiationNeeded(),
  "restart-ice": (negotiator) => negotiator.restartIce(),
  "local-set": (negotiator, { sdp }) => negotiator.localDescriptionSet(sdp),
  "remote-set": (negotiator) => negotiator.remoteDescriptionSet(),
  failed: (negotiator) => negotiator.operationFailed("OperationError", "It failed."),
  candidate: (negotiator, { candidate }) => negotiator.localCandidate(candidate),
  flush: (negotiator) => negotiator.flushCandidates(),
  continue: (negotiator) => negotiator.continueNegotiation(),
};

function play({ client: options, steps }) {
  let { connected = [] } = options;
  const random = makeRandom(options.random);
  const client = new SignalingClient({ ...options, random, connected: () => connected });
  const rejoining = new Rejoining(random);
  const run = {
    connect: () => client.connect().map(plainResult),
    disconnect: () => client.disconnect().map(plainResult),
    opened: ({ at = 0 }) => client.socketOpened(at).map(plainResult),
    frame: ({ at = 0, frame, pad, text = JSON.stringify(padded(frame, pad)) }) => client.frameReceived(text, at).map(plainResult),
    closed: ({ at = 0, code, reason = "" }) => client.socketClosed(code, reason, at).map(plainResult),
    tick: ({ at = 0 }) => client.tick(at).map(plainResult),
    probe: ({ at = 0 }) => client.probe(at).map(plainResult),
    send: ({ request, pad }) => client.send(padded(request, pad)).map(plainResult),
    connected: ({ users }) => ((connected = users), []),
    negotiate(step) {
      const commands = REPORTS[step.report](client.negotiator(step.session, step.user), step);
      return commands.map((command) => ({ command: plainCommand(command) }));
    },
    return({ report, code, at = 0 }) {
      if (report === "refused") return [{ again: rejoining.refused(code, at) }];
      if (report === "tick") return [{ todo: rejoining.tick(at) }];
      rejoining.start(at);
      return [];
    },
  };
  return steps.map((step) => Array.from({ length: step.times ?? 1 }, () => run[step.do](step)).flat());
}

const scripts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(scripts.map(play)));
