// Of the page: history.
