"""The part of the page that uses the DOM, WebRTC, media devices and storage, by way of `bridge`."""
