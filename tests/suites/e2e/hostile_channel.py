"""Sends anything over the data channels of a call page, as a hostile program could."""

from __future__ import annotations

#: JavaScript that keeps the page's data channels, through which a program could send anything.
SEND_TO_ALL = """(() => {
    const original = RTCPeerConnection.prototype.createDataChannel;
    const channels = [];
    RTCPeerConnection.prototype.createDataChannel = function (...args) {
        channels.push(original.apply(this, args));
        return channels.at(-1);
    };
    // Another page ignores messages that it does not know.
    window.sendToAll = (...messages) => {
        for (const channel of channels) for (const message of messages) channel.send(JSON.stringify(message));
    };
})()"""
