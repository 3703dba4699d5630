"""What a caller may ask of routing for one request."""
import pytest

from fastgw.errors import GatewayError
from fastgw.route.wishes import NANO, Wishes, wishes_in_body, wishes_in_fields


@pytest.mark.parametrize(("sort", "price", "expected"), [
    (None, None, None),
    ("price", None, Wishes("price")),
    (" latency ", "2.5", Wishes("latency", 2_500_000_000, 2_500_000_000)),
    (None, "input=1, output=4.000000001", Wishes(None, NANO, 4_000_000_001)),
    (None, "completion=3", Wishes(None, -1, 3 * NANO)),
    (None, "0", Wishes(None, 0, 0)),
])
def test_fields_are_read(sort: str | None, price: str | None, expected: Wishes | None) -> None:
    """x-fastgw-sort names an order, x-fastgw-max-price a price for both sides or for each."""
    assert wishes_in_fields(sort, price) == expected


@pytest.mark.parametrize(("provider", "expected"), [
    (None, None), ([], None), ({}, None), ({"order": ["x"]}, None),
    ({"sort": "throughput"}, Wishes("throughput")),
    ({"sort": {"by": "price"}}, Wishes("price")),
    ({"max_price": {"prompt": 1, "completion": "2.5"}}, Wishes(None, NANO, 2_500_000_000)),
    ({"max_price": {"prompt": 0.1}}, Wishes(None, 100_000_000, -1)),
])
def test_body_is_read(provider: object, expected: Wishes | None) -> None:
    """A body may say the same as OpenRouter's bodies do."""
    assert wishes_in_body(provider) == expected


@pytest.mark.parametrize(("sort", "price", "said"), [
    ("cheapest", None, "expected price or latency or throughput, got 'cheapest' at x-fastgw-sort"),
    (None, "much", "expected dollars per million tokens from 0 to 1000000, got 'much' at x-fastgw-max-price"),
    (None, "-1", "dollars per million"), (None, "NaN", "dollars per million"), (None, "", "dollars per million"),
    (None, "1e7", "dollars per million"), (None, "image=1", "expected input or output, got 'image'"),
    (None, "input=", "dollars per million"),
])
def test_wrong_field_is_refused(sort: str | None, price: str | None, said: str) -> None:
    """A wish that is not understood is refused rather than ignored: somebody would pay for it."""
    with pytest.raises(GatewayError, match=said) as caught:
        wishes_in_fields(sort, price)
    assert caught.value.status == 400


@pytest.mark.parametrize("provider", [
    {"sort": "x"}, {"sort": 5}, {"max_price": 5}, {"max_price": {"prompt": True}}, {"max_price": {"a": 1}},
])
def test_wrong_body_is_refused(provider: object) -> None:
    """The same holds of a body, with the path of the member."""
    with pytest.raises(GatewayError, match=r"at \$\.provider\."):
        wishes_in_body(provider)
