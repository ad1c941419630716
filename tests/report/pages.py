"""Pages taken apart, and documents that try to break them."""

from html.parser import HTMLParser

HOSTILE = "<script>alert('1')</script>\"&"


class Outline(HTMLParser):
    """Checks that elements nest, and collects them with their text."""

    VOID = ("meta",)

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def hostile(part, text=HOSTILE):
    """The same document with every text replaced by one that would break a careless page."""
    if isinstance(part, dict):
        return {key: hostile(value, text) for key, value in part.items()}
    if isinstance(part, list):
        return [hostile(value, text) for value in part]
    return text if isinstance(part, str) else part
