"""Visual search: query, match decision, reasons, stored searches."""
