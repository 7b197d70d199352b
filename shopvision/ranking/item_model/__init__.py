"""What is known of the items of a shop from behaviour and content: co-visitation, EASE, popularity, words."""
