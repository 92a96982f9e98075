// Of the page: connection.
