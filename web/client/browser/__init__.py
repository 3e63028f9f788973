"""The modules of the page that use the DOM, WebRTC, media devices and storage, through `bridge`."""
