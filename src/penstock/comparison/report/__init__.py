"""The report: tables, plots and files made of results.json; and the page of an inspection."""
