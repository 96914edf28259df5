"""All that knows Whiplash: models, calls, client, oauth, webhooks."""
