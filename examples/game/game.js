const LINES = ["012", "345", "678", "036", "147", "258", "048", "246"].map((line) => [...line].map(Number));
const FIELDS = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const [state, board, again] = ["state", "board", "again"].map((id) => document.getElementById(id));
const server = new URLSearchParams(location.search).get("server") ?? "http://localhost:9000/";
const { Call } = await import(`${server}client.mjs`);
const call = new Call({ kinds: [], channels: { game: {} }, storage: sessionStorage });

let game = { number: 0, moves: [] }; // Both sides keep the whole game, and crosses begin.
let channel;

const mine = () => (call.role === "host") === (game.moves.length % 2 === 0);
const ready = () => channel?.readyState === "open";

function winner() {
  for (const sign of [0, 1]) {
    const fields = game.moves.filter((_, index) => index % 2 === sign);
    if (LINES.some((line) => line.every((field) => fields.includes(field)))) return "XO"[sign];
  }
}

function show() {
  const won = winner();
  const turn = mine() ? "Your turn." : "The other player's turn.";
  state.textContent = won ? `${won} wins.` : game.moves.length === 9 ? "Nobody wins." : turn;
  if (!ready()) state.textContent = `Waiting for the other player: ${location.href}`;
  [...board.children].forEach((button, field) => {
    const index = game.moves.indexOf(field);
    button.textContent = index < 0 ? "" : "XO"[index % 2];
    button.disabled = !ready() || index >= 0 || Boolean(won) || !mine();
  });
  again.disabled = !ready();
}

// The other side's program may be another one: what is no game that follows ours is ignored.
function received(text) {
  const { number, moves } = JSON.parse(text);
  const distinct = moves.every((field, index) => FIELDS.includes(field) && moves.indexOf(field) === index);
  const follows = number > game.number || (number === game.number && moves.length > game.moves.length);
  if (Number.isSafeInteger(number) && distinct && follows) game = { number, moves };
  show();
}

function change(next) {
  game = next;
  channel.send(JSON.stringify(game));
  show();
}

for (const field of FIELDS) {
  const button = document.createElement("button");
  button.ariaLabel = `Field ${field + 1}`;
  button.onclick = () => change({ ...game, moves: [...game.moves, field] });
  board.append(button);
}
again.onclick = () => change({ number: game.number + 1, moves: [] });

call.addEventListener("channel", ({ detail }) => {
  channel = detail.channel;
  channel.onopen = () => change(game); // Who comes back after a reload gets the game from the other side.
  channel.onclose = show;
  channel.onmessage = ({ data }) => received(data);
});

if (call.stored) await call.restore();
else if (location.hash) await call.join(location.hash);
else location.hash = (await call.open()).session;
show();
