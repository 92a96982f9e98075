// Of the page: attention.
