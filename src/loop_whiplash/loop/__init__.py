"""All that knows Loop: models, calls, client, webhooks."""
