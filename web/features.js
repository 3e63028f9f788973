// Says what the browser lacks before anything else runs. It is no module and uses only the syntax of 2009, so that
// browsers that are too old for the page can run it.
(function () {
  "use strict";

  /** Show one of the offers that need no Python in the person's language. */
  function chooseLanguage(offer) {
    var parts = offer.children;
    var wanted = [].slice.call(navigator.languages || [navigator.language]);
    var chosen = parts[0];
    try {
      // As `storage_prefix` has it in `client/model/call_urls.py`.
      wanted.unshift(localStorage["signald" + location.pathname.replace(/\/[^/]*$/, "") + ".language"]);
    } catch (error) {} // Browsers can forbid storage.
    for (var i = wanted.length; i--; )
      for (var j = 0; j < parts.length; j++) if (parts[j].lang === String(wanted[i]).split("-")[0]) chosen = parts[j];
    for (var k = 0; k < parts.length; k++) parts[k].hidden = parts[k] !== chosen;
  }

  /** Return what the page calls, or needs for its layout, and this browser does not have. */
  function findMissing() {
    var found = {
      WebAssembly: window.WebAssembly && WebAssembly.instantiate,
      WebRTC: window.RTCPeerConnection && RTCPeerConnection.prototype.addTransceiver && window.MediaStream,
      WebSocket: window.WebSocket,
      getRandomValues: window.crypto && crypto.getRandomValues,
      fetch: window.fetch && window.TextDecoder && window.AbortController,
      ResizeObserver: window.ResizeObserver,
      dialog: window.HTMLDialogElement && HTMLDialogElement.prototype.showModal,
      popover: "popover" in HTMLElement.prototype,
      ":has()": window.CSS && CSS.supports && CSS.supports("selector(:has(a))")
    };
    var missing = [];
    for (var name in found) if (!found[name]) missing.push(name);
    return missing;
  }

  chooseLanguage(document.getElementById("unloaded"));
  var missing = findMissing();
  if (!missing.length) return;
  var offer = document.getElementById("unsupported");
  chooseLanguage(offer);
  // People and their browsers switch the first two off; the others are in every current browser.
  var old = missing.join().replace(/WebAssembly|WebRTC|,/g, "") !== "";
  var parts = offer.querySelectorAll("[data-reason]");
  for (var i = 0; i < parts.length; i++) parts[i].hidden = (parts[i].getAttribute("data-reason") === "age") !== old;
  var names = offer.querySelectorAll("bdi");
  for (i = 0; i < names.length; i++) names[i].textContent = missing.join(", ");
  document.documentElement.setAttribute("data-state", "failed");
  document.getElementsByTagName("main")[0].hidden = true;
  offer.hidden = false;
})();
