// Of the page: compare.
