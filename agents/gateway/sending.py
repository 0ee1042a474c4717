"""What becomes of an order until the broker is known to have it: judged, sent, sent again, kept back, or lost."""

from datetime import datetime

from agents.gateway.account import Account
from agents.gateway.gate import refused_on_reading
from agents.gateway.halts import stopping
from agents.gateway.orders import Order, Stage, after, event, session_is_over
from agents.gateway.reports import Heard
from schemas.order import NOT_SENT, ExecType, OrderEvent, OrdStatus, PreTradeCheck, Refusal
from schemas.record import Record

ATTEMPTS_MAX = 5


def canceled(order: Order, reason: str = "") -> list[Record]:
    """Return what becomes of an order that somebody takes back; nothing when that was asked for before."""
    if order.stage is Stage.CHECKING:
        refusal = Refusal.CANCELED_BEFORE_SENT
        return [event(order, ExecType.CANCELED, OrdStatus.CANCELED, refusal=refusal, reason=reason)]
    if order.stage is Stage.ENDED or order.cancels:
        return []
    return [canceling(order, reason)]


def canceling(order: Order, reason: str = "") -> OrderEvent:
    """Ask the broker to cancel an order, once more."""
    status = OrdStatus.UNKNOWN if order.status is OrdStatus.UNKNOWN else OrdStatus.PENDING_CANCEL
    return event(order, ExecType.CANCELING, status, reason=reason)


def judge(account: Account, order: Order, said: Heard) -> list[Record]:
    """Let an order pass or refuse it, on what was read for it."""
    if said.checked is None:
        return []
    checked, refused = refused_on_reading(account, order, said.checked)
    if refused is not None:
        return [_refused(order, *refused)]
    return [_submitting(order, 1, checked.check)]


def fail(_: Account, order: Order, said: Heard) -> list[Record]:
    """What could not be read lets nothing pass."""
    return [_refused(order, Refusal.CHECK_FAILED, said.reason)]


def _refused(order: Order, refusal: Refusal, reason: str) -> OrderEvent:
    return event(order, ExecType.REFUSED, OrdStatus.REJECTED, refusal=refusal, reason=reason)


def _submitting(order: Order, attempt: int, check: PreTradeCheck | None) -> OrderEvent:
    return event(order, ExecType.SUBMITTING, OrdStatus.PENDING_NEW, attempt=attempt, check=check)


def retry(account: Account, order: Order, said: Heard) -> list[Record]:
    """Send an UNKNOWN order again that a read did not find, under the same id, as long as that may be."""
    at = said.report.received_at
    if order.status is not OrdStatus.UNKNOWN or order.broker_order_id is not None:
        return []
    if session_is_over(order, at):
        reason = f"NOT_FOUND on {at.date()}, after the session it was valid in"
        return [event(order, ExecType.EXPIRED, OrdStatus.EXPIRED, reason=reason)]
    return [_submitting(order, order.attempt + 1, order.check)] if _may_go_again(account, order, at) else []


def _may_go_again(account: Account, order: Order, at: datetime) -> bool:
    """No order goes to the broker under a halt in whose scope it is, whatever else the halt lets pass."""
    is_wanted = not order.cancels and at < order.terms.valid_until and not stopping(account, order, at)
    return is_wanted and 0 < order.attempt < ATTEMPTS_MAX and not order.is_said_to_exist


def throttled(account: Account, order: Order, said: Heard) -> list[Record]:
    """It was not looked at: it goes again at once, and what may not go again has not been executed."""
    if _is_stale(order, said):
        return []
    if _may_go_again(account, order, said.report.received_at):
        return [_submitting(order, order.attempt + 1, order.check)]
    return _lost(order, said) if order.is_doubtful else [_ended_unseen(account, order, said)]


def _ended_unseen(account: Account, order: Order, said: Heard) -> OrderEvent:
    at = said.report.received_at
    if order.cancels:
        return event(order, ExecType.CANCELED, OrdStatus.CANCELED, reason=said.reason)
    if at >= order.terms.valid_until:
        return event(order, ExecType.EXPIRED, OrdStatus.EXPIRED, reason=said.reason)
    if stopping(account, order, at):
        return _refused(order, Refusal.HALTED, said.reason)
    return event(order, ExecType.REJECTED, OrdStatus.REJECTED, reason=f"{said.reason}, {order.attempt} attempts")


def _is_stale(order: Order, said: Heard) -> bool:
    """An answer to an attempt that was settled already."""
    return said.report.attempt != order.attempt or order.status is OrdStatus.UNKNOWN


def reject(_: Account, order: Order, said: Heard) -> list[Record]:
    """The broker did not take this attempt; an earlier one may have arrived."""
    if _is_stale(order, said):
        return []
    if order.is_doubtful:
        return _lost(order, said)
    return [event(order, ExecType.REJECTED, OrdStatus.REJECTED, reason=said.reason)]


def keep_back(_: Account, order: Order, said: Heard) -> list[Record]:
    """The broker agent did not send this attempt, and says why; an earlier one may have arrived."""
    if _is_stale(order, said):
        return []
    if order.is_doubtful:
        return [event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=said.reason)]
    why = said.reason.removeprefix(NOT_SENT).lstrip()
    if why.startswith("EXPIRED"):
        return [event(order, ExecType.EXPIRED, OrdStatus.EXPIRED, reason=said.reason)]
    if why.startswith("HALTED"):
        return [_refused(order, Refusal.HALTED, said.reason)]
    return [event(order, ExecType.REJECTED, OrdStatus.REJECTED, reason=said.reason)]


def lose(_: Account, order: Order, said: Heard) -> list[Record]:
    """Nobody knows whether this attempt has arrived: it is UNKNOWN, and asked for."""
    return [] if _is_stale(order, said) else _lost(order, said)


def _lost(order: Order, said: Heard) -> list[Record]:
    lost = event(order, ExecType.UNKNOWN, OrdStatus.UNKNOWN, reason=said.reason)
    return [lost, event(after(order, lost), ExecType.QUERYING, OrdStatus.UNKNOWN, reason=said.reason)]


def exists(_: Account, order: Order, said: Heard) -> list[Record]:
    """The broker has had the id before: it is read until it is found, and not sent again."""
    if _is_stale(order, said):
        return []
    return [event(order, ExecType.QUERYING, OrdStatus.UNKNOWN, reason=said.reason)]
