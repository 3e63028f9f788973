// Opens and changes a session from Node.js: `node node_call.mjs CLIENT.mjs SERVER`. Prints what came of it, as JSON.
const [client, server] = process.argv.slice(2);
const { Call } = await import(client);

const call = new Call({ server, name: "Ann", WebSocket });
const seen = [];
const reading = (async () => {
  for await (const event of call) seen.push(event.type);
})();
const { session } = await call.open({ label: "Tuesday" });
const { type } = await call.request({ type: "change", locked: true });
const refusal = await call.request({ type: "admit", user: "0K3PB4X7WQ2M9RT6ZC8HNJVDYA" }).catch(({ code }) => code);
call.close();
await reading;
console.log(JSON.stringify({ session, type, refusal, seen }));
