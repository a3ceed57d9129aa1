"""Conversations: kept, continued, streamed."""
