"""What of the page is fetched when it is first wanted: no call needs it."""
