"""vectors -> neighbours."""
