"""Makes `twistd signald` known to Twisted."""

from twisted.application.service import ServiceMaker

signald = ServiceMaker("signald", "signald.tap", "A WebRTC signaling daemon with a call page.", "signald")
