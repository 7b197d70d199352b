"""Item model: co-visitation, EASE, popularity and title vectors of the shop's items."""
