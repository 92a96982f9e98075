// Of the page: shelf.
