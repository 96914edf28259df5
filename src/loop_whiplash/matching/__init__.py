"""Receipt against RMA: normalise, assign, findings, policy, decision, explanation. Pure."""

from .codes import CODES, RULES_VERSION
from .decision import Decision, Finding, Matcher, Pair, Verdict
from .matcher import match
from .policy import Policy, Profile

__all__ = ["CODES", "RULES_VERSION", "Decision", "Finding", "Matcher", "Pair", "Policy", "Profile", "Verdict", "match"]
