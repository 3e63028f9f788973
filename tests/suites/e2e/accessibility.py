"""Checks a page for accessibility with axe-core's rules, and with checks that axe-core lacks.

The rules are those of WCAG 2.2 on the levels A and AA, and axe-core's best practices.
"""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import ViewportSize

from tests.suites.e2e.chromium import ChromiumTab
from tests.suites.e2e.layout import PHONE, WIDE

AXE = Path(__file__).parents[2] / "vendor" / "axe.min.js"

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

#: The impacts of violations that fail a screen.
FORBIDDEN = ("serious", "critical")

#: The size of the window, the colours, and whether all rules are checked; with dark colours only the contrast is
#: checked.
LOOKS: dict[str, tuple[ViewportSize, str, bool]] = {
    "wide-light": (WIDE, "light", True),
    "wide-dark": (WIDE, "dark", False),
    "phone-light": (PHONE, "light", True),
    "phone-dark": (PHONE, "dark", False),
}

#: The size of a window, in CSS pixels, in which nothing may need horizontal scrolling (WCAG 1.4.10).
NARROW = {"width": 320, "height": 640}

ALL_RULES = {"type": "tag", "values": TAGS}
CONTRASTS = {"type": "rule", "values": ["color-contrast"]}

RUN = """axe.run(document, {runOnly: %s, resultTypes: ['violations'], preload: false})
    .then(({violations}) => violations.map(({id, impact, help, nodes}) =>
        ({rule: id, impact, help, elements: nodes.map(({target}) => target.join(' '))})))"""

#: JavaScript that waits for two frames, after which the page is drawn in the new size and colours.
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"

#: JavaScript that returns the animations that run although the person asked for reduced motion.
MOVING = """document.getAnimations().filter((animation) => animation.playState === 'running'
    && animation.effect.getComputedTiming().activeDuration > 1
    && !['opacity', 'visibility'].includes(animation.transitionProperty))
    .map((animation) => `${animation.animationName ?? animation.transitionProperty} at ${
        animation.effect.target.id || animation.effect.target.className}`)"""

#: JavaScript that returns targets that are too small; links within text are exempt (WCAG 2.5.8, exception “inline”).
SMALL = """[...document.querySelectorAll('button, input, select, summary, a[href], [role=button], label.check')]
    .filter((element) => element.checkVisibility({visibilityProperty: true}) && !element.disabled
        && !element.closest('label.check input') && !element.closest('dialog:not([open])')
        && (!document.querySelector(':modal') || element.closest(':modal')))
    .filter((element) => getComputedStyle(element).display !== 'inline')
    .filter((element) => !(element.matches('input[type=checkbox], input[type=radio]') && element.labels.length))
    .filter((element) => { const {width, height} = element.getBoundingClientRect(); return width < 24 || height < 24; })
    .map((element) => element.id || element.outerHTML.slice(0, 80))"""

#: JavaScript that returns the elements that Tab reaches, in order; the elements of an open popover follow its button.
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

#: JavaScript that returns an element's name in the lists of elements.
NAMED = """((element) => element.id || `${element.tagName.toLowerCase()}.${element.className}:${
    [...document.querySelectorAll(element.tagName)].indexOf(element)}`)"""

#: JavaScript that returns the focused element: its name, whether its focus indicator is visible, and its position.
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
    """A violation that axe-core found.

    Attributes:
        rule: the name of the rule.
        impact: `minor`, `moderate`, `serious` or `critical`.
        text: a description of the violation, and the element.

    """

    rule: str
    impact: str
    text: str


@functools.cache
def source() -> str:
    """Return the source text of axe-core."""
    return AXE.read_text()


def dress(tab: ChromiumTab, look: str) -> None:
    """Change the size of the window and the colour scheme of a page."""
    size, colours, _ = LOOKS[look]
    tab.page.set_viewport_size({"width": size["width"], "height": size["height"]})
    tab.page.emulate_media(color_scheme="dark" if colours == "dark" else "light", reduced_motion="reduce")
    tab.evaluate(SETTLED)


def audit(tab: ChromiumTab, look: str) -> list[Violation]:
    """Return the violations that axe-core finds on a page with this size and colour scheme."""
    session = tab.context.new_cdp_session(tab.page)
    if not tab.evaluate("'axe' in globalThis"):
        # The page's content security policy forbids foreign scripts; the debugger may evaluate them.
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
    """Return the elements that the keyboard can reach, in the order of the document."""
    names: list[str] = tab.evaluate(REACHABLE % NAMED)
    return names


def walk(tab: ChromiumTab) -> list[dict[str, Any]]:
    """Press Tab until the focus has visited every element; return the elements in the order of the document."""
    places: list[dict[str, Any]] = []
    beginning = 0
    for _ in range(2 * len(reachable(tab)) + 16):
        tab.page.keyboard.press("Tab")
        place = tab.evaluate(FOCUSED % NAMED)
        if place is None:
            # After the last element the focus moves to the browser's own controls, and then to the first element.
            beginning = len(places)
        elif places and place["name"] == places[-1]["name"]:
            # A field for date and time has several stops.
            continue
        elif place["name"] in [known["name"] for known in places]:
            break
        else:
            places.append(place)
    return places[beginning:] + places[:beginning]


def jumps(places: list[dict[str, Any]]) -> list[str]:
    """Return the focus steps within a group that lead upwards in the same column, against the reading order."""
    return [
        f"{before['name']} to {after['name']}"
        for before, after in itertools.pairwise(places)
        if before["group"] == after["group"]
        and after["bottom"] <= before["top"]
        and after["left"] < before["right"]
        and before["left"] < after["right"]
    ]
