"""The doors: terminal and web page."""
