const server = new URLSearchParams(location.search).get("server") ?? "http://localhost:9000/";
const { embed } = await import(`${server}embed.mjs`);
const show = (id, text) => (document.getElementById(id).textContent = text);
const onClick = (id, action) => document.getElementById(id).addEventListener("click", action);

const call = embed(document.getElementById("call"), server, {
  session: location.hash.slice(1),
  title: "Our meeting",
  preview: false,
});
call.addEventListener("ready", () => (document.getElementById("join").disabled = false));
call.addEventListener("state", ({ detail }) => {
  show("state", detail.state);
  if (detail.session) history.replaceState(null, "", `#${detail.session}`);
});
call.addEventListener("members", ({ detail }) => show("others", detail.members.map(({ name }) => name || "somebody").join(", ")));
call.addEventListener("media", ({ detail }) => show("mute", detail.microphone ? "Mute" : "Unmute"));
call.addEventListener("error", ({ detail }) => console.log(detail.code, detail.message));

onClick("join", () => call.join({ name: "Ann" }));
onClick("mute", () => call.setMicrophone(!call.media.microphone));
onClick("hang-up", () => call.hangUp());
