"""The tabs of the page, one module each: what they lay out, and what happens when something in them is used."""
