"""Who asks: what makes two requests the same caller's."""
from fastgw.route.facts import Facts
from fastgw.route.sticky import StickyRule
from fastgw.snapshot.routes import Sticky


def test_same_values_are_the_same_caller() -> None:
    """The values of all fields together tell callers apart; absent is another thing than null or empty."""
    rule = StickyRule(Sticky(fields=("metadata.user", "params.user", "headers.X-Session", "key")))
    bodies = (b"{}", b'{"user": null}', b'{"user": ""}', b'{"user": "1"}', b'{"user": 1}')
    draws = [rule.draw(Facts(body=body, key="k")) for body in bodies]
    assert None not in draws and len(set(draws)) == len(bodies)
    assert rule.draw(Facts(body=b'{"user": "1", "n": 2}', key="k", model="m")) == draws[3]
    assert rule.draw(Facts(headers={"x-session": "s"})) not in (None, *draws)
    assert rule.draw(Facts(body=b"{}")) is None


def test_members_in_another_order_are_the_same_caller() -> None:
    """An object's members have no order."""
    rule = StickyRule(Sticky(fields=("params.user",)))
    assert rule.draw(Facts(body=b'{"user": {"a": 1, "b": 2}}')) == rule.draw(Facts(body=b'{"user": {"b": 2, "a": 1}}'))


def test_ttl_draws_anew_for_each_caller_at_its_own_moment() -> None:
    """After the ttl every caller has been drawn anew exactly once, and not all at the same moment."""
    now = 1_800_000_000.0
    rule = StickyRule(Sticky(fields=("key",), ttl_s=100), now_s=lambda: now)
    moments = []
    for user in range(30):
        facts = Facts(key=f"key-{user}")
        now = 1_800_000_000.0
        draws = []
        for _ in range(101):
            draws.append(rule.draw(facts))
            now += 1
        assert len(set(draws)) == 2 and draws[0] != draws[100]
        moments.append(next(second for second, draw in enumerate(draws) if draw != draws[0]))
    assert len(set(moments)) > 15
