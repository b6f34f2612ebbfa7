"""The OpenAPI document, made from the descriptions at the routes, and the page that shows it."""
