"""HTTP code that all interfaces share: bodies, queries, callers, problems, the request log and HTML pages."""
