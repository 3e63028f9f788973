// The PeerJS server, with its limit of connections raised: node peerjs.js [CERTIFICATE KEY]
"use strict";

const { readFileSync } = require("node:fs");
const { PeerServer } = require("peer");

const [certificate, key] = process.argv.slice(2);
const ssl = certificate ? { cert: readFileSync(certificate), key: readFileSync(key) } : undefined;
PeerServer({ host: "127.0.0.1", port: 0, path: "/", concurrent_limit: 20000, ssl }, (server) =>
  console.log(`port ${server.address().port}`),
);
