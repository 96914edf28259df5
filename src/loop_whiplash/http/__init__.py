"""What both clients share: calls, drivers, retries, rate limits, redaction."""
