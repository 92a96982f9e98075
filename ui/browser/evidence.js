// Of the page: evidence.
