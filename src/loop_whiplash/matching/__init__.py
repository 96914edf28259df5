"""Receipt against RMA: normalise, assign, findings, policy, decision, explanation. Pure."""
