"""Sentences for hub: why a download waits."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "waiting_network": "Waiting for the network: {host} ({why}). What has arrived is kept.",
    "waiting_timeout": "Waiting for the network: {host} does not answer. What has arrived is kept.",
    "waiting_refused": "Waiting for the network: {host} cannot be reached. What has arrived is kept.",
    "waiting_reset": "The connection to {host} broke off; trying again from where it stopped.",
    "waiting_early_end": "{host} stopped in the middle; trying again from there.",
    "waiting_http": "{host} has a problem ({why}); trying again in {wait_seconds:duration}.",
    "waiting_http_407": "The proxy asks for a name and a password. Put them into HTTPS_PROXY (http://NAME:PASSWORD@HOST:PORT) and start again; what has arrived is kept.",
    "waiting_not_a_hub": "Something else answers for {host}, maybe a sign-in page of this network. Sign in there, and it goes on.",
    "waiting_rate_limited": "{host} asks to wait {wait_seconds:duration}; it goes on then by itself.",
    "waiting_hours": "Downloads rest until {start}, as the settings say. What has arrived is kept.",
    "waiting_in_use": "Another program is fetching the same file; waiting for it.",
}
