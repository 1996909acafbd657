"""Claims, tables and charts."""

from xml.etree import ElementTree  # nosec B405 # reads what we made

from bench import charts
from bench.report import Chart, Claim, table

CHART = Chart("a.svg", "Round <trips>", "requests", {"this server": 2.0, "a & b": 14.0, "none": 0.0})


def test_a_claim_holds_up_to_its_bound() -> None:
    assert Claim("", 1, 1).holds
    assert not Claim("", 1.01, 1).holds


def test_numbers_have_three_digits_in_a_table() -> None:
    assert table(("a", "b"), [(1.23456, "x")]).splitlines()[-1] == "| 1.23 | x |"


def test_a_chart_is_an_image_that_says_its_numbers_in_words() -> None:
    image = ElementTree.fromstring(charts.svg(CHART))  # nosec B314 # noqa: S314 (we made it)
    assert (
        image.attrib["aria-label"]
        == "Round <trips>: this server 2 requests, a & b 14 requests, none 0 requests"
    )
    bars = [bar.attrib for bar in image.iter("{http://www.w3.org/2000/svg}rect")]
    assert ["ours" in bar["class"] for bar in bars] == [True, False, False]
    ours, theirs, nothing = (float(bar["width"]) for bar in bars)
    assert round(theirs / ours) == 7
    assert nothing < 2


def test_the_same_chart_is_the_same_file() -> None:
    assert charts.svg(CHART) == charts.svg(CHART)
