from markupsafe import Markup

from edgeprune.report.markup import element, join


def test_text_is_escaped_and_markup_is_not():
    assert element("p", {}, "a < b", Markup("<b>c</b>")) == "<p>a &lt; b<b>c</b></p>"
    assert element("p", {"title": '"><script>'}) == '<p title="&#34;&gt;&lt;script&gt;"/>'
    assert join(["<", Markup("<br/>")]) == "&lt;<br/>"


def test_attributes_that_are_none_are_left_out_and_numbers_are_short():
    assert element("line", {"x": 1 / 3, "y": 2.0, "z": None}) == '<line x="0.33" y="2"/>'
