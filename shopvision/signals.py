"""Public signals, each with its keyword arguments documented.

A receiver that raises is logged and never breaks our work: we send with ``send_robust``.
"""

from django.dispatch import Signal

image_indexed = Signal()
"""A product photo became searchable. ``product`` (ProductRef), ``image`` (storage name)."""

image_rejected = Signal()
"""A product photo was set aside. ``product``, ``image``, ``code`` (ImageRejected.CODES), ``reason``."""

search_performed = Signal()
"""A search was answered. ``listing`` (types.Listing), ``kind`` ("photo" or "similar"). Never the photo."""

duplicates_found = Signal()
"""The near-duplicate finder finished. ``pairs`` (list of search.duplicates.Duplicate)."""

release_activated = Signal()
"""A release went live. ``release``, ``previous`` (or None): index.models.EncoderRelease, or
classification.models.ClassifierRelease; the sender is the class."""

product_classified = Signal()
"""A suggestion was written. ``product`` (ProductRef), ``target``, ``prediction`` (types.Prediction), ``state``."""

prediction_reviewed = Signal()
"""A person decided. ``product`` (ProductRef), ``target``, ``decision`` (classification.models.Decision)."""

event_recorded = Signal()
"""An event row was written. ``event`` (events.models.Event, saved). Sent by the writer, after the commit."""

consent_changed = Signal()
"""A visitor decided. ``subject`` (pseudonym, "" for nobody), ``before``, ``after`` (sets of purposes)."""

subject_erased = Signal()
"""What was kept of a subject is gone. ``pseudonyms`` (all it had), ``receipt`` (privacy.erase.Receipt)."""

listing_ranked = Signal()
"""A listing was re-ordered for a visitor. ``listing`` (id), ``keys`` (primary keys as text, in their new order),
``moved`` (how many stand elsewhere than in the shop's own order). Nothing says for whom."""
