const server = new URLSearchParams(location.search).get("server") ?? "http://localhost:9000/";
const { Call } = await import(`${server}client.mjs`);
const call = new Call({ storage: sessionStorage });

call.addEventListener("track", ({ detail: { member } }) => {
  let video = document.getElementById(member.user);
  if (!video) {
    video = Object.assign(document.createElement("video"), { id: member.user, autoplay: true });
    document.body.append(video);
  }
  video.srcObject = member.stream;
});
call.addEventListener("member-left", ({ detail }) => document.getElementById(detail.user)?.remove());

await call.useMedia();
document.querySelector("video").srcObject = call.stream;
if (call.stored) await call.restore();
else if (location.hash) await call.join(location.hash);
else location.hash = (await call.open()).session;
