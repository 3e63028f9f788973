"""The command `signald-peer` from its command line to its exit status."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from signald_client.command import main
from signald_client.exit_status import EXIT_NO_CALL, EXIT_NOT_FLOWED
from tests.unit.clients.reactor_case import OwnReactorCase


class MainTests(OwnReactorCase):
    """`main`."""

    def setUp(self) -> None:
        """Capture the output, and restore the log's configuration afterwards."""
        super().setUp()
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)
        root = logging.getLogger()
        self.patch(root, "handlers", [])
        self.addCleanup(root.setLevel, root.level)

    def test_no_server(self) -> None:
        """A server that does not answer is reported, with the status of a call that could not be tried."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        status = main(["host", "--server", f"ws://127.0.0.1:{port}/"])
        self.assertEqual((status, self.out.getvalue()), (EXIT_NO_CALL, ""))
        self.assertEqual(self.err.getvalue(), f"signald-peer: No server answers at 127.0.0.1:{port}.\n")

    def test_interrupted_at_the_start(self) -> None:
        """SIGINT before the call has set its signal handler ends the command without a traceback."""
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        fifo = Path(self.mktemp())
        os.mkfifo(fifo)

        def interrupt() -> None:
            # Opening blocks until the command reads the file; the command then waits for the end of the file.
            with fifo.open("wb"):
                os.kill(os.getpid(), signal.SIGINT)
                stopped.wait()

        stopped = threading.Event()
        thread = threading.Thread(target=interrupt)
        thread.start()
        status = main(["host", "--ca", str(fifo)])
        stopped.set()
        thread.join()
        # asyncio would report an unhandled error of the interrupted task when the task is collected.
        gc.collect()
        self.assertEqual((status, self.out.getvalue(), self.err.getvalue()), (EXIT_NOT_FLOWED, "", ""))
