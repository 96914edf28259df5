"""Pure: an observation, a journal, a policy, settings and a time go in; at most one action and the breaks come out."""
