"""The organization's facts and rules, and the one gate that every route goes through."""
