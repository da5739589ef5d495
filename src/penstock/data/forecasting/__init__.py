"""Series to forecast, and windows into them."""
