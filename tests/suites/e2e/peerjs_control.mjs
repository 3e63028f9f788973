// Runs PeerJS's own server, as the control of the tests: node peerjs_control.mjs NODE_MODULES PORT
import { createRequire } from "node:module";

const [modules, port] = process.argv.slice(2);
const { PeerServer } = createRequire(`${modules}/`)("peer");
PeerServer({ host: "localhost", port: Number(port), path: "/" }, () => console.log("listening"));
