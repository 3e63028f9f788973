"""What an operator chose of the page, in the page."""

from __future__ import annotations

import json
import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from signald.config.appearance import Accent, Logo
from signald.page.assets import FOREVER, REVALIDATED, Asset, AssetError, digest, load_assets
from signald.page.branding import Branding, brand_page

LOGO = Logo(b"<svg xmlns='http://www.w3.org/2000/svg'/>", ".svg")


class BrandingTests(SynchronousTestCase):
    """The installed page, and the wishes of its operator."""

    def setUp(self) -> None:
        """Load it."""
        self.assets = load_assets()

    def brand(self, branding: Branding) -> dict[str, Asset]:
        """Return what differs from the page of every other server, by path."""
        return {
            path: asset for path, asset in brand_page(self.assets, branding).items() if asset != self.assets.get(path)
        }

    def body(self, asset: Asset) -> str:
        """Return the text of an asset."""
        return asset.representations["identity"].body.decode()

    def test_nothing(self) -> None:
        """Without a wish nothing changes."""
        self.assertEqual(self.brand(Branding()), {})

    def test_embed_origins(self) -> None:
        """The document names the origins that may frame it, and its worker keeps the new document."""
        changed = self.brand(Branding(embed_origins=("https://a.example", "http://localhost:8000")))
        self.assertEqual(set(changed), {"/", "/service-worker.js"})
        page = self.body(changed["/"])
        self.assertIn('<meta name="embed-origins" content="https://a.example http://localhost:8000">\n</head>', page)
        self.assertIn(digest(page.encode()), self.body(changed["/service-worker.js"]))
        self.assertEqual({asset.cache_control for asset in changed.values()}, {REVALIDATED})
        self.assertEqual(set(changed["/"].representations), {"identity", "gzip", "br"})

    def test_title(self) -> None:
        """The title takes the place of the name, as text, in the document and in the manifest."""
        changed = self.brand(Branding(title="<A> & B"))
        page = self.body(changed["/"])
        self.assertIn("<title>&lt;A&gt; &amp; B: a private call</title>", page)
        self.assertIn("<span>&lt;A&gt; &amp; B</span>", page)
        self.assertIn('<meta name="application-name" content="&lt;A&gt; &amp; B">', page)
        manifest = json.loads(self.body(changed["/manifest.webmanifest"]))
        self.assertEqual((manifest["name"], manifest["short_name"]), ("<A> & B", "<A> & B"))
        self.assertEqual(len(manifest["icons"]), 5)

    def test_accent(self) -> None:
        """A style sheet after the page's own has the colours of both themes."""
        changed = self.brand(Branding(accent="#0b6a58"))
        [style] = re.findall(
            r'<link rel="stylesheet" href="\.(/assets/accent\.\w+\.css)">\n</head>', self.body(changed["/"])
        )
        self.assertEqual(changed[style].cache_control, FOREVER)
        accent = Accent.of("#0b6a58")
        self.assertIn(f"--accent: var(--light, {accent.light}) var(--dark, {accent.dark});", self.body(changed[style]))

    def test_logo(self) -> None:
        """The picture is served by this server, under a path with its digest."""
        changed = self.brand(Branding(logo=LOGO))
        [path] = re.findall(r'<img class="logo" src="\.(/assets/logo\.\w+\.svg)" alt="">', self.body(changed["/"]))
        self.assertNotIn('<svg class="logo"', self.body(changed["/"]))
        self.assertEqual(
            (changed[path].content_type, self.body(changed[path])), ("image/svg+xml", LOGO.content.decode())
        )

    def test_another_page(self) -> None:
        """A page without the places is an error, and not a page without its name."""
        old = self.assets["/"]
        page = evolve(old, representations={"identity": evolve(old.representations["identity"], body=b"<html></head>")})
        self.assets["/"] = page
        for branding in (Branding(title="A"), Branding(logo=LOGO)):
            self.assertRaises(AssetError, self.brand, branding)
