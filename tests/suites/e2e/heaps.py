"""Measures both heaps of a page: the heap of JavaScript, and the heap of MicroPython."""

from __future__ import annotations

from typing import Any

from tests.suites.e2e.chromium import ChromiumTab

__all__ = ["CONNECTIONS", "REMEMBER", "Heaps"]

#: JavaScript that runs before the page's scripts: it records weak references to the peer connections, and the
#: interpreter's memory.
REMEMBER = """
globalThis.connections = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); connections.push(new WeakRef(this)); }
};
for (const name of ["instantiate", "instantiateStreaming"]) {
  const own = WebAssembly[name];
  WebAssembly[name] = async (...given) => {
    const made = await own(...given);
    const exported = Object.values((made.instance ?? made).exports);
    globalThis.memory = exported.find((one) => one instanceof WebAssembly.Memory);
    return made;
  };
}
"""

#: JavaScript that counts the peer connections that are not garbage collected.
CONNECTIONS = "connections.filter((one) => one.deref()).length"

#: JavaScript that runs a statement in the page's interpreter.
PYTHON = """(code) => {
  const length = Module.lengthBytesUTF8(code);
  const [text, value] = [Module._malloc(length + 1), Module._malloc(12)];
  Module.stringToUTF8(code, text, length + 1);
  Module.ccall("mp_js_do_exec", "number", ["pointer", "number", "pointer"], [text, length, value]);
  Module._free(text);
  Module._free(value);
}"""

#: The milliseconds after which one heap knows which objects the collection of the other heap has freed.
PAUSE = 100


class Heaps:
    """The heaps of a page in a tab that was opened with `REMEMBER`."""

    def __init__(self, tab: ChromiumTab) -> None:
        self._tab = tab
        self._session = tab.context.new_cdp_session(tab.page)
        self._session.send("HeapProfiler.enable")

    def collect(self) -> None:
        """Collect both heaps in turn: an object is freed only after the heap that references it was collected."""
        for _ in range(3):
            # MicroPython collects garbage only when control returns to the browser's event loop.
            self._python("import gc\ngc.collect()")
            self._session.send("HeapProfiler.collectGarbage")
            self._tab.page.wait_for_timeout(PAUSE)

    def used(self) -> tuple[int, int, int]:
        """Return the used bytes of JavaScript's heap, the used bytes of Python's heap, and its total size."""
        self._python("import gc, shim\nshim.window.signald.allocated = gc.mem_alloc()")
        heap: dict[str, Any] = self._session.send("Runtime.getHeapUsage")
        allocated, memory = self._tab.evaluate("[signald.allocated, memory.buffer.byteLength]")
        return int(heap["usedSize"]), int(allocated), int(memory)

    def _python(self, code: str) -> None:
        self._tab.page.evaluate(PYTHON, code)
