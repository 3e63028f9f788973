"""Checks the data directory and the permissions of the files that hold secrets."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from attrs import fields, has

from signald.auth.host_secret import FILE_NAME
from signald.config.settings import Config
from signald.doctor.findings import Finding, failure, ok, warning
from signald.net.file_modes import OWNER_ALONE, OWNER_AND_GROUP

__all__ = ["check_data_directory", "check_secret_files", "secret_files"]

TOPIC = "files"

LEAST_BYTES = 1 << 20
"""The least free disk space for the local authority and the state that a restart hands over; less is a failure."""

FEW_BYTES = 64 << 20
"""The doctor warns the operator if less disk space than this is free."""


def check_data_directory(path: Path, owner: int | None) -> list[Finding]:
    """Check that the data directory exists, can be written by the daemon alone, and has enough free disk space.

    Arguments:
        path: the path of the data directory.
        owner: the user ID of the running daemon; None if it does not run, and the doctor's own user is assumed.

    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return [_judge_missing(path)]
    except OSError as error:
        return [_unusable(path, error)]
    if not stat.S_ISDIR(found.st_mode):
        return [failure(TOPIC, f"{path} is no folder.", "Name another one with --data-dir.")]
    findings = [_judge_mode(path, found, owner)]
    try:
        free = shutil.disk_usage(path).free
    except OSError as error:
        return [*findings, _unusable(path, error)]
    return [*findings, _judge_space(path, free)]


def _judge_missing(path: Path) -> Finding:
    parent = next((one for one in path.parents if one.exists()), path)
    if os.access(parent, os.W_OK | os.X_OK):
        return ok(TOPIC, f"{path} is not there yet; it can be made.")
    return failure(
        TOPIC,
        f"{path} is not there, and cannot be made in {parent}.",
        "Make it for the user that signald runs under, with mode 0700, or use StateDirectory= in the systemd unit.",
    )


def _judge_mode(path: Path, found: os.stat_result, owner: int | None) -> Finding:
    mode = stat.S_IMODE(found.st_mode)
    if owner is None:
        user, writable = os.geteuid(), os.access(path, os.W_OK | os.X_OK)
    else:
        user, writable = owner, owner == 0 or (found.st_uid == owner and mode & stat.S_IRWXU == stat.S_IRWXU)
    if not writable:
        return failure(
            TOPIC,
            f"{path} (mode {mode:04o}, owner {found.st_uid}) cannot be written by the user {user}.",
            f"chown it to the user that signald runs under, and chmod 0700 {path}.",
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return failure(TOPIC, f"{path} can be written by others (mode {mode:04o}).", f"chmod 0700 {path}")
    return ok(TOPIC, f"{path} can be written by signald alone.")


def _judge_space(path: Path, free: int) -> Finding:
    text = f"The disk of {path} has {free >> 20:,} MiB free."
    if free < LEAST_BYTES:
        return failure(TOPIC, text, "Make room: what a restart hands over could not be written.")
    if free < FEW_BYTES:
        return warning(TOPIC, text, "Make room soon.")
    return ok(TOPIC, text)


def secret_files(config: Config) -> list[tuple[Path, int]]:
    """Return every file that holds a secret, with the permission bits that the file must not have."""
    found = [(path, OWNER_AND_GROUP) for path in _named(config)]
    if config.key is not None:
        found.append((config.key, OWNER_AND_GROUP))
    names = (FILE_NAME, "ca-key.pem", "key.pem")
    found += [(config.data_dir / name, OWNER_ALONE) for name in names if (config.data_dir / name).exists()]
    return list(dict.fromkeys(found))


def _named(section: object) -> Iterable[Path]:
    """Yield the files of the configuration tree that are named by a setting for a secret or a token."""
    for attribute in fields(type(section)):  # type: ignore[arg-type] # an attrs class, as is every section
        value = getattr(section, attribute.name)
        if attribute.name.endswith(("secret_file", "token_file")) and isinstance(value, Path):
            yield value
        elif has(type(value)):
            yield from _named(value)


def check_secret_files(files: Iterable[tuple[Path, int]], configuration: Path | None) -> list[Finding]:
    """Check that only authorized users can read the files with secrets.

    Arguments:
        files: the files, each with the permission bits that the file must not have.
        configuration: the configuration file, if it holds secrets itself.

    """
    findings = [_judge_secret(path, forbidden) for path, forbidden in files]
    if configuration is not None:
        findings.append(_judge_secret(configuration, OWNER_AND_GROUP, "it holds the secrets of TURN servers"))
    bad = [finding for finding in findings if finding is not None]
    return bad or [ok(TOPIC, "No file with a secret can be read by others.")]


def _judge_secret(path: Path, forbidden: int, reason: str = "it holds a secret") -> Finding | None:
    """Return a finding about a file with wrong permissions; None if the permissions are right."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _unusable(path, error)
    if mode & forbidden == 0:
        return None
    best = "0600" if forbidden == OWNER_ALONE else "0640"
    return failure(
        TOPIC,
        f"{path} is open to others (mode {stat.S_IMODE(mode):04o}), and {reason}.",
        f"chmod {best} {path}; if others had accounts here, replace the secret.",
    )


def _unusable(path: Path, error: OSError) -> Finding:
    return failure(
        TOPIC, f"{path} cannot be looked at: {error.strerror}.", "Run the doctor as the user of signald or as root."
    )
