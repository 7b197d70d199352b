"""What the second shop tells whoever listens."""

from django.dispatch import Signal

order_paid = Signal()
"""An order was paid. ``order`` (with ``lines``), ``request`` or ``user``."""

article_viewed = Signal()
"""An article's page was opened. ``product``, ``request``."""
