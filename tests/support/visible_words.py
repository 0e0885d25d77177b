"""The words of a page that a person sees or hears."""

import re
from html.parser import HTMLParser

# alike in both languages
NAMES = {"svertka", "sha", "json", "manifest", "metrics", "python", "pytorch", "guo", "precision"}


class Visible(HTMLParser):
    """The words that a person sees or hears, but for names, paths, code, and what is marked as English."""

    VOID = frozenset({"meta", "link", "img", "br", "input", "line", "circle", "rect", "path"})
    HIDDEN = frozenset({"title", "style", "bdi", "code", "pre"})

    def __init__(self, page):
        super().__init__()
        self.open, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        hidden = tag in self.HIDDEN or (told.get("lang") == "en")
        if tag not in self.VOID:
            self.open.append(hidden)
        self.words += [v for k, v in attributes if k == "aria-label"]

    def handle_startendtag(self, tag, attributes):
        self.words += [v for k, v in attributes if k == "aria-label"]

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if not any(self.open):
            self.words.append(data)


def english_in(page):
    """English words in the visible text of a Russian page; names in quotation marks or isolates are not text."""
    words = " ".join(Visible(page).words)
    words = re.sub("\u2068.*?\u2069", " ", words, flags=re.DOTALL)
    return {w for w in re.findall(r"(?<![\w.])[A-Za-z]{3,}(?!\w)", words) if w.lower() not in NAMES}
