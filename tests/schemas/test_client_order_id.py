"""A client order id says who, what and when, and is read back exactly; whatever else is at the broker is not ours."""

import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.client_order_id import CLIENT_ORDER_ID_LENGTH_MAX, ClientOrderId, client_order_id, escaped, parsed
from schemas.identity import derived, run_id
from schemas.order import NET

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
INTENT = UUID("1a2b3c4d-0000-5000-8000-000000000000")
TAIL = "20120601T160000-1a2b3c4d"

# At most 4 characters of 4 bytes, 3 each, or 15 of one byte: two parts and a version fit in 128.
PARTS = st.text(min_size=1, max_size=4) | st.text(alphabet="aZ09.-_/~ 2D", min_size=1, max_size=15)
OWNERS = PARTS | st.sampled_from([NET, "alch", "alch-2", "mean-rev", "mean_rev"])
INSTANTS = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 (the zone is drawn beside it)
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-4))]),
)
VERSIONS = st.none() | st.integers(min_value=0, max_value=999)
ALMOST_IDS = st.builds(
    "{}-{}-{}-{}{}".format,
    st.text(alphabet="aF4_1-.~", max_size=8) | st.just("alch"),
    st.text(alphabet="aF4_1-.~", max_size=8),
    st.text(alphabet="0123456789", min_size=14, max_size=14).map(lambda digits: f"{digits[:8]}T{digits[8:]}")
    | st.just("20120601T160000"),
    st.sampled_from(["1a2b3c4d", "1A2B3C4D", "1a2b3c4", "1a2b3c4d\n"]),
    st.sampled_from(["", "-v", "-v0", "-v1", "-v01", "-v-1", "-v١", "-v" + "9" * 99]),
)


@pytest.mark.parametrize(
    ("owner", "symbol", "text"),
    [
        ("momentum", "AAPL", f"momentum-AAPL-{TAIL}"),
        (NET, "BRK.B", f"net-BRK.B-{TAIL}"),
        ("mean-rev", "BTC/USD", f"mean_2Drev-BTC_2FUSD-{TAIL}"),
        ("mean_rev", "BRK-B", f"mean__rev-BRK_2DB-{TAIL}"),
        ("café~1", "AAPL", f"caf_C3_A9_7E1-AAPL-{TAIL}"),
        ("alch", "AAPL", f"_61lch-AAPL-{TAIL}"),
    ],
)
def test_a_client_order_id_says_who_what_and_when(owner: str, symbol: str, text: str) -> None:
    assert client_order_id(owner, symbol, NOON, INTENT) == text
    assert parsed(text) == ClientOrderId(owner, symbol, NOON, "1a2b3c4d", None)


@given(owner=OWNERS, symbol=PARTS, as_of=INSTANTS, intent=st.uuids(), version=VERSIONS)
def test_what_is_written_is_read_back(
    owner: str, symbol: str, as_of: datetime, intent: UUID, version: int | None
) -> None:
    text = client_order_id(owner, symbol, as_of, intent, version)

    assert parsed(text) == ClientOrderId(owner, symbol, as_of.replace(microsecond=0), intent.hex[:8], version)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", text)


@given(text=st.text() | ALMOST_IDS)
def test_any_text_is_no_id_or_the_one_way_to_write_it(text: str) -> None:
    found = parsed(text)

    if found is not None and found.owner is not None:
        intent = UUID(found.intent_hex.ljust(32, "0"))
        assert client_order_id(found.owner, found.symbol, found.at, intent, found.version) == text


@given(one=PARTS, other=PARTS)
def test_different_names_are_different_parts(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)


def test_the_same_intent_has_the_same_id_and_the_next_try_another() -> None:
    def named(step: int, as_of: datetime = NOON) -> str:
        return client_order_id("core", "AAPL", as_of, derived("intent", run_id("PA3XYZ", as_of, "daily"), "AAPL", step))

    assert named(1) == named(1, NOON.astimezone(timezone(timedelta(hours=-4)))) == "core-AAPL-20120601T160000-07e1a195"
    assert named(2) != named(1)


def test_an_id_says_the_version_of_its_signal_where_it_has_one() -> None:
    text = client_order_id("core", "AAPL", NOON, INTENT, 12)

    assert text == f"core-AAPL-{TAIL}-v12"
    assert parsed(text) == ClientOrderId("core", "AAPL", NOON, "1a2b3c4d", 12)


def test_an_id_that_the_broker_would_not_take_is_refused_and_not_cut() -> None:
    room = CLIENT_ORDER_ID_LENGTH_MAX - len(f"-AAPL-{TAIL}")

    longest = client_order_id("x" * room, "AAPL", NOON, INTENT)
    assert len(longest) == 128
    assert parsed(longest) is not None
    assert parsed("x" + longest) is None
    with pytest.raises(ValueError, match="129 characters, at most 128"):
        client_order_id("x" * (room + 1), "AAPL", NOON, INTENT)
    with pytest.raises(ValueError, match="130 characters, at most 128"):
        client_order_id("x" * (room - 1) + "-", "AAPL", NOON, derived("intent"))
    with pytest.raises(ValueError, match="131 characters, at most 128"):
        client_order_id("x" * room, "AAPL", NOON, INTENT, 1)


@pytest.mark.parametrize(
    ("owner", "symbol", "as_of", "version", "says"),
    [
        ("", "AAPL", NOON, None, "owner ''"),
        ("core", "", NOON, None, "symbol ''"),
        ("core", "AAPL", NOON.replace(tzinfo=None), None, "as_of 2012-06-01T16:00:00$"),
        ("core", "AAPL", NOON, -1, "version -1"),
        ("\ud800", "AAPL", NOON, None, "surrogates not allowed"),
    ],
)
def test_parts_that_name_nothing_are_refused(
    owner: str, symbol: str, as_of: datetime, version: int | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        client_order_id(owner, symbol, as_of, INTENT, version)


@pytest.mark.parametrize(
    ("text", "symbol", "version"),
    [
        (f"alch-AAPL-{TAIL}", "AAPL", None),
        (f"alch-BRK.B-{TAIL}", "BRK.B", None),
        (f"alch-BRK-B-{TAIL}", "BRK-B", None),
        (f"alch-BTC/USD-{TAIL}-v3", "BTC/USD", 3),
        (f"alch-A_2D-{TAIL}", "A_2D", None),
    ],
)
def test_the_older_form_does_not_say_the_strategy(text: str, symbol: str, version: int | None) -> None:
    assert parsed(text) == ClientOrderId(None, symbol, NOON, "1a2b3c4d", version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5680c4bc-9ac1-4a12-a44c-df427ba53032",
        "bought by hand, for the dividend",
        "alch-",
        "alch-AAPL",
        f"alch--{TAIL}",
        f"-AAPL-{TAIL}",
        f"net--{TAIL}",
        f"mean-rev-AAPL-{TAIL}",
        f"core-BTC/USD-{TAIL}",
        f"_41-AAPL-{TAIL}",
        f"caf_C3-AAPL-{TAIL}",
        f"mean_2drev-AAPL-{TAIL}",
        "core-AAPL-20120631T160000-1a2b3c4d",
        "core-AAPL-20120630T235960-1a2b3c4d",
        "core-AAPL-00000101T000000-1a2b3c4d",
        "core-AAPL-20120601T160000-1A2B3C4D",
        f"core-AAPL-{TAIL}-v",
        f"core-AAPL-{TAIL}-v01",
        f"core-AAPL-{TAIL}\n",
    ],
)
def test_an_id_that_we_did_not_write_is_none_of_ours(text: str) -> None:
    assert parsed(text) is None
