"""Loads the websocket client that alpaca-py 0.44 is written for, without the notice that it is on its way out.

The versions are pinned, so the notice concerns nobody who reads it. This has to be imported before alpaca-py is.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    import websockets.legacy.client  # noqa: F401
