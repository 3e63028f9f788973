"""Permission bits that files with secrets and keys must not have."""

from __future__ import annotations

import stat

__all__ = ["OWNER_ALONE", "OWNER_AND_GROUP"]

OWNER_ALONE = stat.S_IRWXG | stat.S_IRWXO
"""The permission bits that files which signald writes must not have: nobody but their owner reads them."""

OWNER_AND_GROUP = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
"""The permission bits that an operator's key must not have. A group may read it: that is how distributions (`ssl-cert`)
and systemd's credentials share a key with a service."""
