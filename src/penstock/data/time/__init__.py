"""Steps between times, seasons, and how times go on."""
