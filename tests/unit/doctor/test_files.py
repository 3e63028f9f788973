"""Tests of the doctor's checks of files."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from signald.config.settings import Config, Ice, Webhook
from signald.doctor.files import FEW_BYTES, LEAST_BYTES, check_data_directory, check_secret_files, secret_files
from signald.doctor.findings import Mark
from signald.net.file_modes import OWNER_ALONE, OWNER_AND_GROUP

STRANGER = 54321
"""A user ID that belongs to no user."""


class DirectoryTests(SynchronousTestCase):
    """Tests of the check of the data directory."""

    def setUp(self) -> None:
        """Create a data directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir(mode=0o700)

    def marks(self, path: Path, owner: int | None = None) -> list[Mark]:
        """Return the marks of the findings about a directory."""
        return [finding.mark for finding in check_data_directory(path, owner)]

    def test_good(self) -> None:
        """A directory that only its owner can write, on a disk with free space, passes both checks."""
        self.assertEqual(self.marks(self.path), [Mark.OK, Mark.OK])
        self.assertEqual(self.marks(self.path, os.geteuid()), [Mark.OK, Mark.OK])

    def test_missing(self) -> None:
        """A missing directory that can be created passes the check, and the check does not create it."""
        path = self.path / "a" / "b"
        self.assertEqual(self.marks(path), [Mark.OK])
        self.assertFalse(path.parent.exists())

    def test_of_another_user(self) -> None:
        """The check fails if the user of the running daemon does not own the directory."""
        self.assertEqual(self.marks(self.path, STRANGER)[0], Mark.FAILURE)

    def test_writable_by_others(self) -> None:
        """The check fails if the group can write the directory, since it could replace the local authority."""
        self.path.chmod(0o770)
        self.assertEqual(self.marks(self.path)[0], Mark.FAILURE)

    def test_no_folder(self) -> None:
        """The check fails for a file, and for a path below a file."""
        path = self.path / "file"
        path.write_text("")
        self.assertEqual(self.marks(path), [Mark.FAILURE])
        self.assertEqual(self.marks(path / "below"), [Mark.FAILURE])

    def test_cannot_be_made(self) -> None:
        """A missing directory that this user cannot create is a failure that names its parent."""
        self.patch(os, "access", lambda *_: False)
        (found,) = check_data_directory(self.path / "a" / "b", None)
        self.assertEqual(found.mark, Mark.FAILURE)
        self.assertIn(f"cannot be made in {self.path}", found.text)

    def test_space(self) -> None:
        """Little free disk space is a warning, almost none is a failure, and an error of the disk is a failure."""
        for free, mark in ((LEAST_BYTES - 1, Mark.FAILURE), (FEW_BYTES - 1, Mark.WARNING), (FEW_BYTES, Mark.OK)):
            self.patch(shutil, "disk_usage", lambda _, free=free: Mock(free=free))
            self.assertEqual(self.marks(self.path)[1], mark)
        self.patch(shutil, "disk_usage", Mock(side_effect=OSError(errno.EIO, "Input/output error")))
        found = check_data_directory(self.path, None)[1]
        self.assertEqual(
            (found.mark, found.text), (Mark.FAILURE, f"{self.path} cannot be looked at: Input/output error.")
        )


class SecretTests(SynchronousTestCase):
    """Tests of the check of files that hold secrets."""

    def setUp(self) -> None:
        """Create a directory."""
        self.path = Path(self.mktemp()).resolve()
        self.path.mkdir()

    def file(self, name: str, mode: int) -> Path:
        """Create a file with these permissions."""
        path = self.path / name
        path.write_text("secret")
        path.chmod(mode)
        return path

    def test_files_that_hold_secrets(self) -> None:
        """The files are those that the configuration names as secrets, and the secrets in the data directory."""
        turn, hook, key = (self.file(name, 0o600) for name in ("turn", "hook", "key"))
        kept = self.file("host-secret", 0o600)
        config = Config(
            data_dir=self.path,
            certificate=self.path / "certificate",
            key=key,
            ice=Ice(turn_urls=("turn:turn.example.org",), turn_secret_file=turn),
            webhook=Webhook(url="https://app.example.org/", secret_file=hook),
        )
        found = dict(secret_files(config))
        self.assertEqual(found, {turn: OWNER_AND_GROUP, hook: OWNER_AND_GROUP, key: OWNER_AND_GROUP, kept: OWNER_ALONE})

    def test_modes(self) -> None:
        """A group may read a file that the operator created, but not one that signald created; others may read none."""
        for mode, forbidden, mark in (
            (0o600, OWNER_ALONE, Mark.OK),
            (0o640, OWNER_ALONE, Mark.FAILURE),
            (0o640, OWNER_AND_GROUP, Mark.OK),
            (0o644, OWNER_AND_GROUP, Mark.FAILURE),
        ):
            path = self.file("secret", mode)
            (found,) = check_secret_files([(path, forbidden)], None)
            self.assertEqual(found.mark, mark, oct(mode))
            self.assertNotIn("secret\n", found.text)

    def test_the_configuration_itself(self) -> None:
        """A configuration file with secrets of TURN servers is checked like the other files."""
        (found,) = check_secret_files([], self.file("signald.toml", 0o644))
        self.assertIn("it holds the secrets of TURN servers", found.text)

    def test_missing(self) -> None:
        """A secret file that the configuration names but that does not exist is a failure."""
        (found,) = check_secret_files([(self.path / "nothing", OWNER_AND_GROUP)], None)
        self.assertEqual(found.mark, Mark.FAILURE)
