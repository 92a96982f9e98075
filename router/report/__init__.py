"""The report of a router: one HTML file that needs nothing beside it, and its pictures for other documents."""
