"""The colors of the report, light and dark, as data that fills the style sheet; a test checks the contrast.

One accent, blue, for what the network gets right; vermilion only for what it gets wrong. The two stay apart
for every common kind of color blindness (Okabe and Ito 2008, "Color Universal Design"), and no color is the
only carrier of a meaning.
"""

from __future__ import annotations

LEVELS = 8  # steps of the confusion matrix's heat

Scheme = dict[str, str]

LIGHT: Scheme = {
    "paper": "#ffffff",
    "shade": "#f5f6f8",
    "line": "#dfe3e8",
    "ink": "#1b1f24",
    "muted": "#596270",
    "accent": "#0a5ca8",
    "miss": "#b54400",
    "soft": "#8a94a3",
    "caution": "#fff6ea",
}
DARK: Scheme = {
    "paper": "#13161a",
    "shade": "#1b1f25",
    "line": "#323943",
    "ink": "#e7eaee",
    "muted": "#a2adba",
    "accent": "#6fb7ff",
    "miss": "#ff9a5a",
    "soft": "#748091",
    "caution": "#2a2118",
}
# where the heat of the confusion matrix begins and ends: (right, wrong) per scheme
RAMPS = {
    "light": (("#e3effb", "#0a4f92"), ("#fde7d8", "#a63c00")),
    "dark": (("#1c2c3d", "#6db3f7"), ("#432a1b", "#ff9d5e")),
}


def scheme(name: str) -> Scheme:
    """All variables of the "light" or "dark" scheme, heat levels and the ink on them included."""
    colors = dict(LIGHT if name == "light" else DARK)
    for letter, (start, end) in zip("hm", RAMPS[name], strict=True):
        for level in range(1, LEVELS + 1):
            color = mix(start, end, (level - 1) / (LEVELS - 1))
            colors[f"{letter}{level}"] = color
            colors[f"{letter}{level}-ink"] = ink_on(color)
    return colors


def css(name: str) -> str:
    """The scheme as custom properties: `--ink:#1b1f24;...`."""
    return "".join(f"--{key}:{value};" for key, value in scheme(name).items())


def mix(start: str, end: str, share: float) -> str:
    """The color at `share` (0..1) of the way from `start` to `end`."""
    return "#" + "".join(
        f"{round(a + (b - a) * share):02x}" for a, b in zip(_channels(start), _channels(end), strict=True)
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors, 1 to 21 (WCAG 2.2, "contrast ratio").

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(color: str) -> str:
    """Black or white, whichever reads better; one of them always has a contrast above 4.5."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, color))


def _channels(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def _luminance(color: str) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in _channels(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
