"""Where the Control API is, and where a token may be sent."""

from __future__ import annotations

import pytest

from poll_counter.control.address import base_url, segment
from poll_counter.errors import MisuseError


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("eu", "https://studio.monterosa.cloud/api/v2"),
        ("us", "https://studio-us.monterosa.cloud/api/v2"),
        ("dev", "https://studio-dev.monterosa.cloud/api/v2"),
        ("https://host.example", "https://host.example/api/v2"),
        ("https://HOST.example:443/", "https://host.example/api/v2"),
        ("https://host.example:8443/in/here/", "https://host.example:8443/in/here/api/v2"),
        ("https://host.example/api/v2/", "https://host.example/api/v2"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/api/v2"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v2"),
        ("http://127.9.9.9:80", "http://127.9.9.9/api/v2"),
        ("http://localhost:8080", "http://localhost:8080/api/v2"),
        ("http://[::1]:8080", "http://[::1]:8080/api/v2"),
        ("http://[::ffff:127.0.0.1]:8080", "http://[::ffff:127.0.0.1]:8080/api/v2"),
    ],
)
def test_an_environment_or_any_address(base: str, url: str) -> None:
    """The path of the API is put behind; contract section 2 has the environments."""
    assert base_url(base) == url


@pytest.mark.parametrize(
    "base",
    [
        "",
        "EU",
        "asia",
        "host.example",
        "//host.example",
        "ftp://host.example",
        "wss://host.example",
        "https://",
        "https:///path",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://h\u00f6st.example",
        "https://host .example",
    ],
)
def test_what_is_no_address_is_refused(base: str) -> None:
    """The message says what is one."""
    with pytest.raises(MisuseError, match="pass one of 'eu', 'us', 'dev', or a URL such as"):
        base_url(base)


@pytest.mark.parametrize("who", ["user:hush@", "hush@", "@"])
def test_users_and_passwords_do_not_belong_there(who: str) -> None:
    """And are not repeated."""
    with pytest.raises(MisuseError, match="pass token= instead") as caught:
        base_url(f"https://{who}host.example")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("tail", ["?", "#", "?token=hush", "#hush", "/api/v2?a=hush"])
def test_queries_and_fragments_do_not_belong_there(tail: str) -> None:
    """Nothing could be put behind them; they are not repeated either."""
    with pytest.raises(MisuseError, match="ends with its path") as caught:
        base_url(f"https://host.example{tail}")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("host", ["host.example", "10.0.0.1", "127.0.0.1.example", "[::2]"])
def test_plain_http_to_others_has_to_be_said_in_so_many_words(host: str) -> None:
    """Anybody on the way reads the token."""
    with pytest.raises(MisuseError, match="allow_plain=True"):
        base_url(f"http://{host}")
    assert base_url(f"http://{host}", allow_plain=True) == f"http://{host}/api/v2"


@pytest.mark.parametrize(
    ("id_", "part"),
    [
        ("6396746d-1f2e", "6396746d-1f2e"),
        ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"),
        ("\u00e4", "%C3%A4"),
    ],
)
def test_an_id_stays_one_part_of_the_path(id_: str, part: str) -> None:
    """Whatever is in it."""
    assert segment(id_, "an event") == part


@pytest.mark.parametrize("id_", ["", ".", ".."])
def test_what_would_be_another_path_is_no_id(id_: str) -> None:
    """The message says whose id it should have been."""
    with pytest.raises(MisuseError, match="no id of an event"):
        segment(id_, "an event")
