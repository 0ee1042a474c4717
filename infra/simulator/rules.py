"""How the brokerage refuses, and how it reads the parts of a request that several requests share."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from infra.simulator.exact import plain

QTY_DECIMALS_MAX = 9
CLIENT_ORDER_ID_LENGTH_MAX = 128
MALFORMED = 40010001
INVALID = 42210000
FORBIDDEN = 40310000
NOT_FOUND = 40410000

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}([./][A-Z0-9]{1,5})?")


class RefusalError(Exception):
    """A request is refused with a status and a JSON body."""

    def __init__(self, status: int, code: int | None, message: str, **more: str) -> None:
        """Keep the answer; `code` None leaves it out, as Alpaca does for 401."""
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {**({} if code is None else {"code": code}), "message": message, **more}


def malformed(message: str) -> RefusalError:
    """Return the refusal of a request that cannot be understood."""
    return RefusalError(422, MALFORMED, message)


def invalid(message: str) -> RefusalError:
    """Return the refusal of a request that breaks a rule."""
    return RefusalError(422, INVALID, message)


def forbidden(message: str, **more: str) -> RefusalError:
    """Return the refusal of a request that the account does not allow, as it stands."""
    return RefusalError(403, FORBIDDEN, message, **more)


def not_found(message: str) -> RefusalError:
    """Return the refusal of a request for something that does not exist."""
    return RefusalError(404, NOT_FOUND, message)


def is_symbol(text: str) -> bool:
    """Say whether a text has the form of a symbol."""
    return _SYMBOL.fullmatch(text) is not None


def checked_client_order_id(request: Mapping[str, object]) -> str | None:
    """Return the client order id of a request, None if it has none."""
    client_order_id = request.get("client_order_id")
    if client_order_id is None or client_order_id == "":
        return None
    if not isinstance(client_order_id, str):
        raise malformed("client_order_id must be a string")
    if len(client_order_id) > CLIENT_ORDER_ID_LENGTH_MAX:
        raise malformed(f"client_order_id must be no more than {CLIENT_ORDER_ID_LENGTH_MAX} characters")
    return client_order_id


def number(name: str, given: object) -> Decimal:
    """Read a number from a string or from an exact JSON literal."""
    try:
        if isinstance(given, Decimal | str):
            value = Decimal(given)
            if value.is_finite() and abs(value.adjusted()) < 30:
                return value
    except InvalidOperation:
        pass
    raise malformed(f"invalid {name}: {given}")


def amount(name: str, given: object) -> Decimal:
    """Read a quantity of shares or dollars: above 0, nine decimals."""
    value = number(name, given)
    if value <= 0:
        raise malformed(f"{name} must be > 0")
    if _decimals(value) > QTY_DECIMALS_MAX:
        raise malformed(f"{name} must be limited to {QTY_DECIMALS_MAX} decimal places")
    return value


def price(name: str, given: object) -> Decimal:
    """Read a price: above 0, in whole cents from a dollar on, in hundredths of a cent below it."""
    value = number(name, given)
    if value <= 0:
        raise invalid(f"{name.replace('_', ' ')} must be > 0")
    if _decimals(value) > (2 if value >= 1 else 4):
        raise invalid(f"invalid {name} {plain(value)}. sub-penny increment does not fulfill minimum pricing criteria")
    return value


def is_whole(value: Decimal) -> bool:
    """Say whether a quantity is of whole shares."""
    return value == value.to_integral_value()


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
