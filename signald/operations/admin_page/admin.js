// The admin page: asks for the state every two seconds, and shows it as text alone.

const POLL = 2000;
const PATIENCE = 10000;

const find = (id) => document.getElementById(id);

// Held by this page alone, until it is closed.
let token = "";
let before = null;
let timer = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const signal = AbortSignal.timeout(PATIENCE);
  return fetch(`admin/${path}`, { ...options, headers, signal, cache: "no-store", credentials: "omit" });
}

function duration(seconds) {
  if (seconds === null) return "–";
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const at = units.findIndex(([, size]) => seconds >= size);
  if (at < 0) return "0 s";
  const [unit, size] = units[at];
  const whole = `${Math.floor(seconds / size)} ${unit}`;
  const next = units[at + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return rest ? `${whole} ${rest} ${next[0]}` : whole;
}

function number(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : 0 });
}

function size(bytes) {
  return bytes < 1024 ? `${number(bytes)} B` : bytes < 1048576 ? `${number(bytes / 1024)} KiB` : `${number(bytes / 1048576)} MiB`;
}

function pairs(id, found, none) {
  const rows = found.map(([name, value]) => {
    const row = document.createElement("div");
    row.append(element("dt", name), element("dd", value));
    return row;
  });
  find(id).replaceChildren(...rows);
  if (!rows.length) {
    const row = document.createElement("div");
    row.append(element("dt", none), element("dd", ""));
    find(id).append(row);
  }
}

function showStatus(text, className) {
  const status = find("status");
  // Only a change is read out.
  if (status.textContent !== text) status.textContent = text;
  status.className = className;
}

function showRates(state) {
  const { totals, counts, uptime } = state;
  const rates = [];
  if (before !== null && totals.opened >= before.totals.opened) {
    const seconds = (performance.now() - before.at) / 1000;
    const rate = (name) => Math.max(0, totals[name] - before.totals[name]) / seconds;
    const mean = (sum, count) => {
      const many = totals[count] - before.totals[count];
      return many > 0 ? `${number((1000 * (totals[sum] - before.totals[sum])) / many)} ms` : "–";
    };
    rates.push(
      ["messages in, per second", number(rate("received"))],
      ["messages out, per second", number(rate("sent"))],
      ["in, per second", size(rate("bytesIn"))],
      ["out, per second", size(rate("bytesOut"))],
      ["connections, per second", number(rate("opened"))],
      ["errors, per second", number(rate("errors"))],
      ["mean time to forward", mean("forwardSeconds", "forwarded")],
      ["mean lag of the reactor", mean("lagSeconds", "lags")],
    );
  }
  rates.push(["stalls of the reactor", number(totals.stalls)], ["log lines dropped", number(totals.logDropped)]);
  pairs("rates", rates, "");
  before = { at: performance.now(), totals };
  pairs("now", [
    ["connections", number(counts.websockets)],
    ["by HTTP", number(counts.http)],
    ["users present", number(counts.present)],
    ["users away", number(counts.away)],
    ["sessions open", number(counts.open)],
    ["sessions kept", number(counts.kept)],
    ["members", number(counts.members)],
    ["waiting to join", number(counts.waiting)],
    ["not acknowledged", size(counts.outboxBytes)],
    ["decisions under way", number(counts.decisions)],
    ["certificate", state.certificateDays === null ? "none" : `${number(state.certificateDays)} days`],
    ["up for", duration(uptime)],
  ], "");
}

function sessionRow(session) {
  const row = document.createElement("tr");
  const members = session.members
    .map(({ role, reference, away }) => `${role} ${reference}${away ? " (away)" : ""}`)
    .join(", ");
  const waiting = session.waiting ? `, ${session.waiting} waiting` : "";
  const marks = ["locked", "lobby", "password"].filter((mark) => session[mark]);
  row.append(
    element("td", `${session.id}…`),
    element("td", session.reference),
    element("td", `${session.members.length} of ${session.capacity}: ${members || "nobody"}${waiting}`, "wrap"),
    element("td", [session.state, ...marks].join(", ")),
    element("td", duration(session.idle)),
    element("td", duration(session.left)),
  );
  return row;
}

function show(state) {
  showStatus(
    state.draining ? "Draining" : state.ready ? "Ready" : "Degraded",
    state.ready ? "good" : "bad",
  );
  find("reasons").replaceChildren(...state.reasons.map(({ name, detail }) => element("li", `${name}: ${detail}`)));
  showRates(state);
  const rows = state.sessions.map(sessionRow);
  if (!rows.length) {
    const none = element("td", "There is none.", "empty");
    none.colSpan = 6;
    rows.push(document.createElement("tr"));
    rows[0].append(none);
  }
  find("sessions").replaceChildren(...rows);
  find("more").textContent = state.moreSessions ? `And ${number(state.moreSessions)} that were quiet for longer.` : "";
  for (const id of ["limits", "errors"]) {
    const found = Object.entries(state[id]).sort((a, b) => b[1] - a[1]);
    pairs(id, found.map(([name, count]) => [name, number(count)]), "none");
  }
  find("drain").disabled = state.draining;
}

function enter(text) {
  clearTimeout(timer);
  token = "";
  before = null;
  find("view").hidden = true;
  find("entry").hidden = false;
  find("refused").textContent = text;
  showStatus("", "");
  find("token").focus();
}

async function poll() {
  clearTimeout(timer);
  const asked = token;
  try {
    const answer = await ask("state");
    const found = await answer.json();
    if (asked !== token) return;
    if (answer.status === 401 || answer.status === 429) return enter(found.detail);
    if (!answer.ok) throw new Error(answer.statusText);
    find("entry").hidden = true;
    find("view").hidden = false;
    show(found);
  } catch {
    if (asked !== token) return;
    showStatus("No answer", "bad");
  }
  // A page that nobody sees asks less often; browsers see to that.
  timer = setTimeout(poll, POLL);
}

find("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  token = find("token").value.trim();
  find("token").value = "";
  find("refused").textContent = "";
  // A header takes no other characters.
  if (/^[\x21-\x7e]+$/.test(token)) poll();
  else enter("The token is missing or wrong.");
});

find("drain").addEventListener("click", () => find("confirm").showModal());
find("cancel").addEventListener("click", () => find("confirm").close());
find("really").addEventListener("click", async () => {
  find("confirm").close();
  find("drain").disabled = true;
  try {
    const answer = await ask("drain", { method: "POST", headers: { "X-Signald-Confirm": "drain" } });
    if (!answer.ok) showStatus((await answer.json()).detail, "bad");
    else showStatus("Draining", "bad");
  } catch {
    showStatus("No answer", "bad");
  }
});
