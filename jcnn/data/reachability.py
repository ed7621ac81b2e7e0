"""Whether files can be downloaded at all, found out in seconds."""

import threading
from urllib.parse import urlsplit

import requests

SECONDS = 3.0


def unreachable(urls: list[str]) -> dict[str, str]:
    """The hosts of these addresses that cannot be downloaded from, each with the reason. One address of each is tried.

    The addresses are asked at once, for `SECONDS` and a little: looking up a host's name knows no time limit of its own, so a
    thread that is still at it is left behind.
    """
    hosts = {urlsplit(url).netloc: url for url in urls if urlsplit(url).scheme in ("http", "https")}
    answers: dict[str, str | None] = {}
    threads = [
        threading.Thread(target=lambda host=host, url=url: answers.update({host: _ask(url)}), daemon=True)
        for host, url in hosts.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 0.5)
    return {host: why for host in hosts if (why := answers.get(host, "does not answer")) is not None}


def _ask(url: str) -> str | None:
    try:
        with requests.get(url, stream=True, timeout=SECONDS) as response:
            return None if response.ok else f"answers {response.status_code} {response.reason}"
    except requests.exceptions.ProxyError:
        return "cannot be reached through the proxy that is set"
    except requests.exceptions.SSLError:
        return "shows a certificate that is not trusted"
    except requests.exceptions.Timeout:
        return "does not answer"
    except requests.exceptions.RequestException:
        return "cannot be reached"
