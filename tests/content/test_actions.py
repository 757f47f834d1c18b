"""What a producer may ask of an element, in which state."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.choices import Choices
from simulator.content import Content, ContentError
from simulator.emulator import Emulator

OPTIONS = {"fields": [], "options": [{"label": "x"}, {"label": "y"}]}


def make(made: str, *, again: bool = True, **attributes: Any) -> tuple[Content, str]:
    """Make an element of an active event, and bring it to be draft, open, closed or revoked."""
    content = Content(Emulator(), Choices(republish_revoked=again))
    event, _ = content.create_event(content.add_project("Quiz night"), {"name": "Show"}, 0.0)
    content.update_event(event, {"action": "start"}, 0.0)
    given = {"content_type": "rpoll-custom", "question": OPTIONS, **attributes}
    element, _ = content.create_element(event, given, 1.0)
    for action in {
        "draft": (),
        "open": ("publish",),
        "closed": ("publish", "stop"),
        "revoked": ("publish", "revoke"),
    }[made]:
        content.update_element(element, {"action": action}, 2.0)
    return content, element


QUIZ: dict[str, Any] = {"content_type": "trivia", "correct_option": 1}
BY_HAND: dict[str, Any] = {"reveal_results_mode": "manual"}


@pytest.mark.parametrize("made", ["draft", "open", "closed", "revoked"])
@pytest.mark.parametrize(
    ("action", "attributes", "allowed"),
    [
        ("publish", {}, {"draft", "revoked"}),
        ("stop", {}, {"open"}),
        ("revoke", {}, {"open", "closed"}),
        ("reveal_answer", QUIZ, {"open", "closed"}),
        ("reveal_answer", {}, set()),
        ("reveal_results", BY_HAND, {"open", "closed"}),
        ("reveal_results", {}, set()),
    ],
)
def test_an_element_takes_what_its_state_allows(
    made: str, action: str, attributes: dict[str, Any], allowed: set[str]
) -> None:
    """All else is refused at `action`, and nothing is changed."""
    content, element = make(made, **attributes)
    before = content.element(element, 3.0)
    if made in allowed:
        content.update_element(element, {"action": action}, 3.0)
        assert content.element(element, 3.0) != before
    else:
        with pytest.raises(ContentError) as caught:
            content.update_element(element, {"action": action}, 3.0)
        assert caught.value.pointer == "/data/attributes/action"
        assert content.element(element, 3.0) == before


def reason(content: Content, element: str, action: str) -> str:
    """Why an action is refused."""
    with pytest.raises(ContentError) as caught:
        content.update_element(element, {"action": action}, 3.0)
    return caught.value.detail


@pytest.mark.parametrize(
    ("made", "action", "attributes", "detail"),
    [
        ("open", "publish", {}, "can't publish what is published"),
        ("closed", "stop", {}, "can't stop what is not active"),
        ("draft", "revoke", {}, "can't revoke what is not published"),
        ("open", "reveal_answer", {}, "is for trivia and predictions alone"),
        ("draft", "reveal_answer", QUIZ, "can't reveal the answer of what is not published"),
        (
            "open",
            "reveal_answer",
            {**QUIZ, "correct_option": 0},
            "can't reveal an answer without correct_option",
        ),
        ("open", "reveal_results", {}, "is for reveal_results_mode manual alone"),
        ("draft", "reveal_results", BY_HAND, "can't reveal the results of what is not published"),
    ],
)
def test_a_refusal_says_why(
    made: str, action: str, attributes: dict[str, Any], detail: str
) -> None:
    """In words that say what would be needed."""
    assert reason(*make(made, **attributes), action) == detail


def test_results_are_revealed_once() -> None:
    """A second time there is nothing to reveal."""
    content, element = make("open", **BY_HAND)
    content.update_element(element, {"action": "reveal_results"}, 3.0)
    assert reason(content, element, "reveal_results") == "can't reveal what is revealed"


def test_what_was_revoked_may_be_gone_for_good() -> None:
    """As the choices have it; what was never published is not concerned."""
    content, element = make("revoked", again=False)
    assert reason(content, element, "publish") == "can't publish what was revoked"
    content, element = make("draft", again=False)
    content.update_element(element, {"action": "publish"}, 3.0)


@pytest.mark.parametrize("action", ["start", "stop"])
def test_nothing_is_published_unless_the_event_is_active(action: str) -> None:
    """Neither before it nor after it (contract section 7.5)."""
    content = Content(Emulator())
    event, _ = content.create_event(content.add_project("Quiz night"), {"name": "Show"}, 0.0)
    element, _ = content.create_element(event, {"content_type": "article"}, 1.0)
    if action == "stop":
        content.update_event(event, {"action": "stop"}, 1.0)
    assert reason(content, element, "publish") == "can't publish unless the event is active"
