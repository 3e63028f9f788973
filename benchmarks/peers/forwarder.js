// A bare forwarder on the npm package `ws`: node forwarder.js [CERTIFICATE KEY]
//
// It tells each connection its id, and forwards `{"to": id, …}` with `from` in place of `to`. It has no limits, no
// checks and no pings: it is a floor, not a product.
"use strict";

const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { WebSocketServer } = require("ws");

const [certificate, key] = process.argv.slice(2);
const server = certificate
  ? require("node:https").createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  : require("node:http").createServer();
const clients = new Map();

new WebSocketServer({ server }).on("connection", (client) => {
  const id = randomUUID();
  clients.set(id, client);
  client.on("message", (data) => {
    const { to, ...message } = JSON.parse(data);
    message.from = id;
    clients.get(to)?.send(JSON.stringify(message));
  });
  client.on("close", () => clients.delete(id));
  client.send(JSON.stringify({ id }));
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => console.log(`port ${server.address().port}`));
