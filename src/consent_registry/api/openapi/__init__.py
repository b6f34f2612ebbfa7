"""The OpenAPI document, made from what the routes say of themselves, and the page that shows it."""
