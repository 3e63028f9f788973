"""Who may import whom: the architecture as a table, checked against the syntax trees."""

from __future__ import annotations

import ast
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

PURE = {
    "errors": set[str](),
    "messages": {"errors"},
    "ids": {"messages"},
    "limits": set[str](),
    "budgets": {"errors", "limits"},
    "members": {"messages"},
    "sessions": {"errors", "members", "messages"},
    "views": {"members", "messages", "sessions"},
    "identities": {"grant", "messages"},
    "delivery": {"limits", "messages"},
    "users": {"delivery", "limits", "messages"},
    "waiting": {"limits", "messages"},
    "deadlines": set[str](),
    "forwarding": {"errors", "members", "messages", "sessions", "views"},
    "decisions": {"errors", "grant", "messages", "sessions"},
    "grant": {"messages"},
    "permissions": {"decisions", "errors", "grant", "messages"},
    "registry": {"decisions", "errors", "grant", "identities", "ids", "limits", "members", "messages", "sessions"},
    "actions": {"decisions", "errors", "messages", "users"},
    "asking": {"actions", "decisions", "limits", "messages", "users"},
    "post": {"actions", "deadlines", "delivery", "errors", "limits", "messages", "users"},
    "ice": {"actions", "deadlines", "messages", "post", "users"},
    "turn": {"messages"},
    "copies": {
        "actions", "asking", "deadlines", "decisions", "forwarding", "ice", "limits", "members", "messages", "post",
        "sessions", "users", "views", "waiting",
    },
    "greeting": {
        "actions", "asking", "budgets", "copies", "decisions", "errors", "grant", "ice", "limits", "messages", "post",
        "users",
    },
    "requests": {
        "actions", "asking", "budgets", "copies", "decisions", "errors", "forwarding", "ice", "limits", "messages",
        "post", "sessions", "users",
    },
    "hub": {
        "actions", "asking", "copies", "deadlines", "decisions", "delivery", "errors", "greeting", "ice", "limits",
        "messages", "post", "requests", "returning", "sessions", "users",
    },
    "records": {
        "actions", "asking", "deadlines", "decisions", "delivery", "grant", "hub", "identities", "limits", "messages",
        "registry", "returning", "sessions", "users",
    },
    "returning": set[str](),
    "dialects.dialect": {"errors", "messages"},
    "dialects.native": {"dialects.dialect", "errors", "ids", "messages"},
    "dialects.serde": {"dialects.dialect", "errors", "ids", "messages"},
    "dialects.__init__": {"dialects.dialect", "dialects.native", "dialects.serde"},
    "arrivals": {"budgets", "errors", "limits", "metrics", "proxies"},
    "metrics": {"errors", "limits", "messages"},
    "doctor.findings": set[str](),
    "doctor.report": {"doctor.findings"},
    "doctor.stun": set[str](),
    "doctor.allocation": {"doctor.stun"},
    "doctor.responses": set[str](),
    "origins": set[str](),
    "problems": {"errors"},
    "proxies": set[str](),
    "proxy_header": set[str](),
    "reflection": {"proxies"},
    "questions": {"decisions", "errors", "grant", "messages"},
    "readiness": set[str](),
    "upgrades": {"dialects.dialect", "errors", "origins"},
}  # fmt: skip
"""Each module of the core, and those of signald's that it may import."""

LIBRARIES = {"attrs", "cattrs", "idna", "orjson"}
STANDARD = {
    "__future__", "abc", "base64", "bisect", "collections", "difflib", "email", "enum", "hashlib", "heapq", "hmac",
    "http", "ipaddress", "itertools", "json", "math", "re", "struct", "types", "typing",
}  # fmt: skip
"""What else the core may import: nothing that does I/O, looks at a clock or draws random numbers."""


def imports(module: str) -> set[str]:
    """All that a module of signald imports, wherever in it; signald's own without the package's name."""
    source = files("signald").joinpath(f"{module.replace('.', '/')}.py").read_text()
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            found.add(node.module or "")
    return {name.removeprefix("signald.") for name in found}


class LayerTests(SynchronousTestCase):
    """The core knows nothing of I/O."""

    def test_the_core_imports_what_the_table_says(self) -> None:
        """Other modules of the core as listed, and of the outside only what is pure."""
        for module, allowed in PURE.items():
            outside = {name for name in imports(module) if name.split(".")[0] not in LIBRARIES | STANDARD}
            self.assertEqual(outside - allowed, set(), module)

    def test_only_the_wiring_knows_the_dialects(self) -> None:
        """Nothing outside `dialects` names one of them; `tap` hands over the list."""
        for path in files("signald").iterdir():
            name = path.name.removesuffix(".py")
            if name == path.name:
                continue
            dialects = {found for found in imports(name) if found.startswith("dialects")}
            allowed = {"dialects"} if name == "tap" else {"dialects.dialect"}
            self.assertLessEqual(dialects, allowed, name)

    def test_no_module_imports_the_reactor_at_its_top(self) -> None:
        """It would be installed before anyone could choose another."""
        for path in files("signald").iterdir():
            if path.name.endswith(".py"):
                for node in ast.parse(path.read_text()).body:
                    if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet":
                        self.assertNotIn("reactor", [alias.name for alias in node.names], path.name)
