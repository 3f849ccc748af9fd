"""What several of these tests share."""

PAUSE = "() => new Promise((done) => setTimeout(done, 200))"
"""Lets the page do what waits for a pause of the reader, by its own clock, however slow the machine is."""
