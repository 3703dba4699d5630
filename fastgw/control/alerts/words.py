"""An alert, and how it reads."""

from typing import Final

from msgspec import Struct

SCALES: Final = {"nano_usd": 10**9, "tokens": 1, "requests": 1, "": 1}
PERIODS: Final = {"total": "in total", "day": "today", "week": "this week", "month": "this month"}


class Alert(Struct, frozen=True):
    """One budget that has crossed one threshold, amounts in the unit: nano_usd, tokens or requests; or a key that is to be rotated."""

    id: str
    at: str
    kind: str           # threshold, exhausted, rotation_due
    subject: str
    workspace: str | None
    unit: str
    window: str
    window_start: str | None
    threshold: float    # share of the budget
    spent: int
    budget: int

    def as_object(self) -> dict[str, object]:
        """What programs get: amounts in dollars where the unit is."""
        if self.kind == "rotation_due":
            return {"id": self.id, "kind": self.kind, "subject": self.subject, "workspace": self.workspace, "due": self.window_start}
        scale = SCALES[self.unit]
        return {
            "id": self.id, "kind": self.kind, "subject": self.subject, "workspace": self.workspace,
            "unit": "usd" if self.unit == "nano_usd" else self.unit, "window": self.window, "window_start": self.window_start,
            "threshold": self.threshold, "spent": self.spent / scale, "budget": self.budget / scale}


def event_of(alert: Alert) -> str:
    """What programs know such alerts by."""
    return "key.rotation_due" if alert.kind == "rotation_due" else f"budget.{alert.kind}"


def amount(unit: str, count: int) -> str:
    return f"${count / 10**9:,.2f}" if unit == "nano_usd" else f"{count:,} {unit}"


def subject_of(alert: Alert) -> str:
    if alert.kind == "rotation_due":
        return f"{alert.subject[:1].upper()}{alert.subject[1:]} is to be rotated"
    if alert.kind == "exhausted":
        return f"The budget of {alert.subject} is used up"
    return f"{alert.subject[:1].upper()}{alert.subject[1:]} has used {alert.threshold * 100:.4g} % of its budget"


def text_of(alert: Alert) -> str:
    if alert.kind == "rotation_due":
        return "It is as old as its rotation says. Rotate it in the console, or by the API; the key before stays valid for a while."
    period = PERIODS.get(alert.window, f"in {alert.window}")
    text = f"{amount(alert.unit, alert.spent)} of {amount(alert.unit, alert.budget)} were used {period}."
    if alert.kind == "exhausted":
        text += " Requests are refused with 412 until the budget is raised" + (" or renews." if alert.window != "total" else ".")
    return text
