"""What subjects did."""
