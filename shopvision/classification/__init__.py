"""What a product is: suggestions by trained heads, decisions by people; both are kept."""
