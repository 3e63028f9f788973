"""Looks at a page as people with other abilities meet it: axe-core's rules, and what these do not cover.

What is looked for is WCAG 2.2 on the levels A and AA, and axe-core's further advice.
"""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.screens import PHONE, WIDE

AXE = Path(__file__).parents[2] / "vendor" / "axe.min.js"

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

#: Impacts that no screen may have.
FORBIDDEN = ("serious", "critical")

#: Size of the window, colours, and whether all rules are checked; dark colours differ in contrasts only.
LOOKS: dict[str, tuple[dict[str, int], str, bool]] = {
    "wide-light": (WIDE, "light", True),
    "wide-dark": (WIDE, "dark", False),
    "phone-light": (PHONE, "light", True),
    "phone-dark": (PHONE, "dark", False),
}

#: CSS pixels: a window in which nothing may need scrolling from side to side (WCAG 1.4.10).
NARROW = {"width": 320, "height": 640}

ALL_RULES = {"type": "tag", "values": TAGS}
CONTRASTS = {"type": "rule", "values": ["color-contrast"]}

RUN = """axe.run(document, {runOnly: %s, resultTypes: ['violations'], preload: false})
    .then(({violations}) => violations.map(({id, impact, help, nodes}) =>
        ({rule: id, impact, help, elements: nodes.map(({target}) => target.join(' '))})))"""

#: Two frames: the page has the new size and colours.
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"

#: JavaScript: animations that run although the person asked for reduced motion.
MOVING = """document.getAnimations().filter((animation) => animation.playState === 'running'
    && animation.effect.getComputedTiming().activeDuration > 1
    && !['opacity', 'visibility'].includes(animation.transitionProperty))
    .map((animation) => `${animation.animationName ?? animation.transitionProperty} at ${
        animation.effect.target.id || animation.effect.target.className}`)"""

#: JavaScript: targets that are too small; a link within a text may be smaller (WCAG 2.5.8, exception “inline”).
SMALL = """[...document.querySelectorAll('button, input, select, summary, a[href], [role=button], label.check')]
    .filter((element) => element.checkVisibility({visibilityProperty: true}) && !element.disabled
        && !element.closest('label.check input') && !element.closest('dialog:not([open])')
        && (!document.querySelector(':modal') || element.closest(':modal')))
    .filter((element) => getComputedStyle(element).display !== 'inline')
    .filter((element) => !(element.matches('input[type=checkbox], input[type=radio]') && element.labels.length))
    .filter((element) => { const {width, height} = element.getBoundingClientRect(); return width < 24 || height < 24; })
    .map((element) => element.id || element.outerHTML.slice(0, 80))"""

#: JavaScript: the elements that Tab reaches, in order; those of an open popover come after its button.
REACHABLE = """(() => {
  const inside = document.querySelector(':modal') ?? document.body;
  const groups = new Set();
  const found = [...inside.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
    .filter((element) => element.tabIndex >= 0 && !element.disabled && !element.closest('[inert]')
        && element.checkVisibility({visibilityProperty: true}))
    .filter((element) => {
      if (element.type !== 'radio') return true;
      const known = groups.has(element.name);
      groups.add(element.name);
      return !known;
    });
  for (const popover of document.querySelectorAll(':popover-open')) {
    const shown = found.filter((element) => popover.contains(element));
    const rest = found.filter((element) => !popover.contains(element));
    const button = rest.findIndex((element) => element.getAttribute('popovertarget') === popover.id);
    found.splice(0, found.length, ...rest.slice(0, button + 1), ...shown, ...rest.slice(button + 1));
  }
  return found.map(%s);
})()"""

#: An element's name in these lists.
NAMED = """((element) => element.id || `${element.tagName.toLowerCase()}.${element.className}:${
    [...document.querySelectorAll(element.tagName)].indexOf(element)}`)"""

#: The element that has the keyboard: its name, whether that can be seen, and where it is.
FOCUSED = """(() => {
  const element = document.activeElement;
  // A dialog that scrolls takes the keyboard itself, for the arrows.
  if (!element || element.matches('html, body, :modal')) return null;
  const style = getComputedStyle(element);
  const {left, right, top, bottom} = element.getBoundingClientRect();
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const on = document.elementFromPoint(x, y);
  const covered = !on || !(element.contains(on) || on.contains(element)
    || [...element.labels ?? []].some((label) => label.contains(on)));
  return {name: %s(element), outlined, covered, left, right, top, bottom,
    group: element.closest('dialog, section, [role=group], #panel, figure')?.id ?? ''};
})()"""


@dataclass(frozen=True)
class Violation:
    """A violation that a rule found.

    Attributes:
        rule: its name.
        impact: `minor`, `moderate`, `serious` or `critical`.
        text: what is wrong, and where.

    """

    rule: str
    impact: str
    text: str


@functools.cache
def source() -> str:
    """Return axe-core."""
    return AXE.read_text()


def dress(tab: ChromiumTab, look: str) -> None:
    """Let a page be of another size, in other colours."""
    size, colours, _ = LOOKS[look]
    tab.page.set_viewport_size({"width": size["width"], "height": size["height"]})
    tab.page.emulate_media(color_scheme="dark" if colours == "dark" else "light", reduced_motion="reduce")
    tab.evaluate(SETTLED)


def audit(tab: ChromiumTab, look: str) -> list[Violation]:
    """Return what the rules find on a page that is looked at so."""
    session = tab.context.new_cdp_session(tab.page)
    if not tab.evaluate("'axe' in globalThis"):
        # The page's policy lets no script in; the debugger may.
        session.send("Runtime.evaluate", {"expression": source()})
    rules = json.dumps(ALL_RULES if LOOKS[look][2] else CONTRASTS)
    answer = session.send("Runtime.evaluate", {"expression": RUN % rules, "awaitPromise": True, "returnByValue": True})
    session.detach()
    found: list[dict[str, Any]] = answer["result"]["value"]
    violations = [
        Violation(one["rule"], one["impact"], f"{one['help']}: {', '.join(one['elements'])}") for one in found
    ]
    violations += [Violation("small-target", "serious", name) for name in tab.evaluate(SMALL)]
    violations += [Violation("motion", "serious", name) for name in tab.evaluate(MOVING)]
    return violations


def too_wide(tab: ChromiumTab) -> int:
    """Return by how many pixels the page is wider than a narrow window."""
    tab.page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
    tab.evaluate(SETTLED)
    wider: int = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wider


def reachable(tab: ChromiumTab) -> list[str]:
    """Return what there is to reach by the keyboard, in the order of the document."""
    names: list[str] = tab.evaluate(REACHABLE % NAMED)
    return names


def walk(tab: ChromiumTab) -> list[dict[str, Any]]:
    """Press Tab until the keyboard has been everywhere; return the places, in the order of the document."""
    places: list[dict[str, Any]] = []
    beginning = 0
    for _ in range(2 * len(reachable(tab)) + 4):
        tab.page.keyboard.press("Tab")
        place = tab.evaluate(FOCUSED % NAMED)
        if place is None:
            # Behind the last one comes the browser itself, and then the first one.
            beginning = len(places)
        elif place["name"] in [known["name"] for known in places]:
            break
        else:
            places.append(place)
    return places[beginning:] + places[:beginning]


def jumps(places: list[dict[str, Any]]) -> list[str]:
    """Return the steps within a group that lead upwards in the same column: another order than people read."""
    return [
        f"{before['name']} to {after['name']}"
        for before, after in itertools.pairwise(places)
        if before["group"] == after["group"]
        and after["bottom"] <= before["top"]
        and after["left"] < before["right"]
        and before["left"] < after["right"]
    ]
