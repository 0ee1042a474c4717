"""What holds for every run: contributions sum to the weight, whatever is said, in whatever order, under every rule."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from agents.collector import decider as collector
from agents.testing import Story, given, through_the_wire
from schemas.portfolio import ConflictChoice, ConflictDecision, Portfolio, PortfolioStatus
from schemas.record import Record
from schemas.run import ConflictRule, RunTerms, SyncRule
from schemas.signal import Signal, SignalFailure
from tests import made
from tests.agents.collector.words import ACCOUNT, passed, portfolio, signal, terms_of

UNIT = Decimal(1).scaleb(-12)
WEIGHTS = st.decimals(min_value=-1, max_value=1, places=12) | st.sampled_from(["0.5", "-0.5", "0"]).map(Decimal)
SYMBOLS = ("AAPL", "GOOG", "IBM")


@st.composite
def runs(draw: st.DrawFn) -> list[Signal]:
    """Return what the strategies of a run say: some fail, some keep their own book, some name a symbol twice."""
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1))
    sync = draw(st.sampled_from(SyncRule))
    quorum = draw(st.integers(1, len(names))) if sync is SyncRule.QUORUM else None
    run = terms_of(
        {name: str(draw(st.decimals(min_value=0, max_value=1, places=12))) for name in names},
        draw(st.lists(st.sampled_from(names), unique=True)),
        {name: draw(st.integers(1, 3)) for name in names},
        made.rules(sync_rule=sync, quorum=quorum, conflict_rule=draw(st.sampled_from(ConflictRule))),
    )
    wishes = st.lists(st.tuples(st.sampled_from(SYMBOLS), WEIGHTS.map(str)), max_size=5)
    failures = st.sampled_from([None, None, None, SignalFailure.BAD_PARAMETER])
    return [signal(name, run, draw(failures), twice=tuple(draw(wishes))) for name in names]


@st.composite
def histories(draw: st.DrawFn) -> tuple[RunTerms, list[Record]]:
    """Return what the collector is told about a run: signals in any order, some twice or never, and the deadline."""
    said = draw(runs())
    run = said[0].terms
    told: list[Record] = [*draw(st.lists(st.sampled_from(said))), passed(run), *draw(st.lists(st.sampled_from(said)))]
    return run, told


def formed(story: Story, told: Sequence[Record]) -> tuple[list[Portfolio], Story, list[Record]]:
    """Return the portfolios that were published, the story after it, and all that was published."""
    published: list[Record] = []
    for each in told:
        story = story.when(each)
        published.extend(story.said)
    return [each for each in published if isinstance(each, Portfolio)], story, published


def wanted(run: RunTerms, told: Sequence[Record], strategy_id: str, symbol: str) -> Decimal:
    """Return what a strategy wants of a symbol, reckoned in another way: by going through all its words."""
    said = next(each for each in told if isinstance(each, Signal) and each.strategy_id == strategy_id)
    weight = sum((each.weight for each in said.targets if each.symbol == symbol), Decimal(0))
    allocation = next(each.allocation for each in run.strategies if each.strategy_id == strategy_id)
    return (weight * allocation).quantize(UNIT, rounding=ROUND_DOWN)


@settings(max_examples=150, deadline=None)
@for_all(history=histories())
def test_contributions_sum_to_the_weight_and_nobody_counts_for_more_than_they_want(
    history: tuple[RunTerms, list[Record]],
) -> None:
    run, told = history
    (one,), _, _ = formed(given(collector), told)
    content = one.content
    assert one == through_the_wire(one)
    assert [each.symbol for each in content.targets] == sorted({each.symbol for each in content.targets})
    for target in content.targets:
        assert target.weight == sum(part.weight for part in target.contributions)
        assert target.contributions
        for part in target.contributions:
            wish = wanted(run, told, part.strategy_id, target.symbol)
            assert part.weight
            assert abs(part.weight) <= abs(wish)
            assert part.weight * wish > 0
            assert part.strategy_id not in content.silent_strategies
    disputed = {each.symbol for each in content.conflicts}
    for target in content.targets:
        if target.symbol not in disputed:
            assert all(
                part.weight == wanted(run, told, part.strategy_id, target.symbol) for part in target.contributions
            )


@settings(max_examples=100, deadline=None)
@for_all(history=histories())
def test_every_strategy_is_heard_or_silent_and_no_wish_is_lost(history: tuple[RunTerms, list[Record]]) -> None:
    run, told = history
    (one,), _, _ = formed(given(collector), told)
    content, names = one.content, {each.strategy_id for each in run.strategies}
    assert set(one.failed) | set(one.missing) <= set(content.silent_strategies) <= names
    if one.status is PortfolioStatus.QUORUM_MISSED:
        assert set(content.silent_strategies) == names
        assert (content.targets, content.book_targets, content.conflicts) == ((), (), ())
        return
    assert one.is_partial == bool(content.silent_strategies)
    books = {each.strategy_id for each in content.book_targets}
    netted = names - books - set(content.silent_strategies)
    for symbol in SYMBOLS:
        wishes = {name: wanted(run, told, name, symbol) for name in sorted(netted)}
        opposed = min(wishes.values(), default=0) < 0 < max(wishes.values(), default=0)
        shown = [each for each in content.conflicts if each.symbol == symbol]
        assert bool(shown) == opposed
        if opposed:
            assert {each.strategy_id: each.weight for each in shown[0].wishes} == {
                name: wish for name, wish in wishes.items() if wish
            }
            is_flagged = run.rules.conflict_rule is ConflictRule.FLAG
            assert shown[0].is_open == is_flagged
            assert is_flagged == all(each.symbol != symbol for each in content.targets)


@settings(max_examples=100, deadline=None)
@for_all(history=histories(), cut=st.integers(0, 20))
def test_a_restart_between_any_two_records_changes_nothing(history: tuple[RunTerms, list[Record]], cut: int) -> None:
    _, told = history
    _, whole, everything = formed(given(collector), told)
    _, _, before = formed(given(collector), told[:cut])
    _, restarted, after = formed(given(collector, *before), told[cut:])
    assert [*before, *after] == everything
    assert restarted.state == whole.state


@settings(max_examples=60, deadline=None)
@for_all(said=runs(), data=st.data())
def test_unless_the_last_word_counts_the_order_of_words_changes_nothing(
    said: list[Signal], data: st.DataObject
) -> None:
    rules = said[0].terms.rules
    if rules.conflict_rule is ConflictRule.LAST or rules.sync_rule is SyncRule.QUORUM:
        return
    told: list[Record] = list(said)
    shuffled: list[Record] = list(data.draw(st.permutations(said)))
    assert formed(given(collector), told)[0] == formed(given(collector), shuffled)[0]


@settings(max_examples=100, deadline=None)
@for_all(history=histories(), choice=st.sampled_from(ConflictChoice), taken=st.sampled_from("abcdef"))
def test_what_follows_from_a_persons_decision_sums_up_too(
    history: tuple[RunTerms, list[Record]], choice: ConflictChoice, taken: str
) -> None:
    run, told = history
    (one,), story, _ = formed(given(collector), told)
    for symbol in SYMBOLS:
        decision = ConflictDecision(
            account_id=ACCOUNT,
            run_id=run.run_id,
            symbol=symbol,
            choice=choice,
            strategy_id=taken if choice is ConflictChoice.TAKE else None,
            decided_by="maria",
            reason="",
            valid_until=run.valid_until,
        )
        followed, story, _ = formed(story, [decision])
        disputed = [each for each in one.content.conflicts if each.symbol == symbol and each.is_open]
        wishes = {each.strategy_id: each.weight for each in disputed[0].wishes} if disputed else {}
        counts = {taken} & set(wishes) if choice is ConflictChoice.TAKE else set(wishes)
        assert bool(followed) == (bool(counts) and choice is not ConflictChoice.HOLD)
        for portfolio_of_one in followed:
            (target,) = portfolio_of_one.content.targets
            assert portfolio_of_one.content.scope == (target.symbol,) == (symbol,)
            assert {each.strategy_id: each.weight for each in target.contributions} == {
                name: wishes[name] for name in counts
            }
            assert target.weight == sum(each.weight for each in target.contributions)


@settings(max_examples=60, deadline=None)
@for_all(shares=st.lists(st.integers(1, 10**12), min_size=1, max_size=7), count=st.integers(1, 9))
def test_strategies_that_want_at_most_the_whole_never_want_more_together(shares: list[int], count: int) -> None:
    exact = [Decimal(share) / sum(shares) for share in shares]
    allocations = {f"s{number}": f"{share:.12f}" for number, share in enumerate(exact)}
    allocations["s0"] = f"{max(Decimal(0), 1 - sum(Decimal(allocations[f's{n}']) for n in range(1, len(shares)))):.12f}"
    run, story = terms_of(allocations), given(collector)
    share = str((Decimal(1) / count).quantize(UNIT, rounding=ROUND_DOWN))
    for name in allocations:
        story = story.when(signal(name, run, twice=tuple((f"S{number}", share) for number in range(count))))
    assert sum((each.weight for each in portfolio(story).content.targets), Decimal(0)) <= 1
