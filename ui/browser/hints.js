// Of the page: hints.
