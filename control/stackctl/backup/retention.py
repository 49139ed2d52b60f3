"""Which backups may go, and which stay for which reason. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.windows import Histories, leads
from stackctl.units import counted

# A damaged one may be all that is left of the data: much of it can be read by hand.
_NONE_GOOD = ", and none is good"


@dataclass(frozen=True)
class Policy:
    """How long backups stay. Dumps follow `redundancy` alone, as they are no part of a recovery.

    `window`: recovery is possible to any moment that long ago. `redundancy`: so many full backups at least.
    `minimum`: never fewer good backups than this, whatever the other rules say. `weekly`, `monthly`: the first full
    backup of so many past weeks and months.
    """

    window: timedelta = timedelta(days=14)
    redundancy: int = 2
    minimum: int = 2
    weekly: int = 0
    monthly: int = 0


@dataclass(frozen=True)
class Retention:
    """The verdict: reasons by the id of each backup that stays, and the others, oldest first."""

    reasons: Mapping[str, str]
    expired: tuple[Backup, ...]


def retain(
    backups: Sequence[Backup],
    policy: Policy,
    now: datetime,
    used: Iterable[str] = (),
    histories: Mapping[str, Histories] = MappingProxyType({}),
) -> Retention:
    """Divide `backups`, oldest first; `used` are ids that a run needs now, `histories` those of each cluster's archive.

    Each cluster is judged as if there were no other: what one has is no backup of another's data. What a backup that
    stays is built on stays too. A damaged backup counts for nothing, and goes when its time is over, while there is a
    good one. One of a history that a restore left counts for nothing but the window, while there are others.
    """
    reasons: dict[str, str] = {}
    rules, by_id = [_marked(used)], {backup.id: backup for backup in backups}
    left = left_behind(backups, histories)
    rules += [_window(left), _redundant(left), _calendar(left), _minimum(left)]
    for system in sorted({backup.system for backup in backups}):
        dated = _dated([backup for backup in backups if backup.system == system], now)
        for identifier, reason in (found for rule in rules for found in rule(dated, policy, now)):
            reasons.setdefault(identifier, reason)
    for identifier in list(reasons):
        for ancestor in ancestors(by_id[identifier], by_id):
            reasons.setdefault(ancestor.id, f"{identifier} is built on it")
    return Retention(reasons, tuple(backup for backup in backups if backup.id not in reasons))


def ancestors(backup: Backup, by_id: Mapping[str, Backup]) -> list[Backup]:
    """What `backup` is built on, nearest first, as far as it is there."""
    found: list[Backup] = []
    while backup.parent is not None and backup.parent in by_id and len(found) < len(by_id):
        backup = by_id[backup.parent]
        found.append(backup)
    return found


def _dated(backups: Sequence[Backup], now: datetime) -> list[Backup]:
    """The backups with times that their order allows; where a clock was wrong, as young as they can be.

    A time before that of an older backup, or in the future, is none. The next good one, or now, is the latest it was.
    """
    newest, right = datetime.min.replace(tzinfo=now.tzinfo), []
    for backup in backups:
        right.append(newest <= backup.finished_at <= now)
        newest = backup.finished_at if right[-1] else newest
    latest, found = now, []
    for backup, is_right in zip(reversed(backups), reversed(right), strict=True):
        latest = backup.finished_at if is_right else latest
        found.append(replace(backup, finished_at=latest))
    return found[::-1]


Reasons = Iterable[tuple[str, str]]
_Rule = Callable[[Sequence[Backup], Policy, datetime], Reasons]


def _marked(used: Iterable[str]) -> _Rule:
    busy = frozenset(used)

    def rule(backups: Sequence[Backup], _policy: Policy, _now: datetime) -> Reasons:
        for backup in backups:
            if backup.id in busy:
                yield backup.id, "in use"
            elif backup.kept:
                yield backup.id, f"kept: {backup.kept}"

    return rule


def _window(left: frozenset[str]) -> _Rule:
    """Everything inside the window, and the last good one before it, from which recovery into the window begins.

    That one may be of a history that a restore left. Then the last that leads to the present one stays too.
    """

    def rule(backups: Sequence[Backup], policy: Policy, now: datetime) -> Reasons:
        edge = now - policy.window
        before = [backup for backup in restorable(backups) if backup.finished_at <= edge]
        for backup in before[-1:]:
            yield backup.id, f"recovery to {edge:%Y-%m-%d %H:%M} UTC begins with it"
        present = [backup for backup in before if backup.id not in left]
        for backup in present[-1:]:
            yield backup.id, f"recovery to {edge:%Y-%m-%d %H:%M} UTC in the present history begins with it"
        for backup in backups:
            if backup.finished_at > edge and backup.kind is not Kind.LOGICAL:
                yield backup.id, "inside the recovery window"

    return rule


def left_behind(backups: Sequence[Backup], histories: Mapping[str, Histories]) -> frozenset[str]:
    """The ids of those that do not lead to the newest timeline of their cluster: a restore left their history.

    Where the history of that timeline is not known, nothing is said of any of its cluster.
    """
    found: set[str] = set()
    for system in {backup.system for backup in backups}:
        known = histories.get(system, {})
        mine = [backup for backup in backups if backup.system == system and backup.timeline is not None]
        newest = max([*known, *(backup.timeline or 0 for backup in mine)], default=0)
        if newest in known:
            found |= {backup.id for backup in mine if not leads(backup, newest, known)}
    return frozenset(found)


def _last(backups: Sequence[Backup], count: int, left: frozenset[str]) -> list[Backup]:
    """The last `count`, oldest first; one of a history that was left only where there are too few others."""
    preferred = sorted(backups, key=lambda backup: backup.id not in left)
    return preferred[len(preferred) - min(count, len(preferred)) :]


def _redundant(left: frozenset[str]) -> _Rule:
    def rule(backups: Sequence[Backup], policy: Policy, _now: datetime) -> Reasons:
        for kind, name in ((Kind.FULL, "full backup"), (Kind.LOGICAL, "dump")):
            alike = [backup for backup in backups if backup.kind is kind]
            good = [backup for backup in alike if backup.status is Status.OK]
            for backup in _last(good or alike, policy.redundancy, left):
                yield backup.id, f"one of the last {counted(policy.redundancy, name)}{'' if good else _NONE_GOOD}"

    return rule


def _calendar(left: frozenset[str]) -> _Rule:
    def rule(backups: Sequence[Backup], policy: Policy, _now: datetime) -> Reasons:
        full = [backup for backup in backups if backup.kind is Kind.FULL and backup.status is Status.OK]
        weeks = _firsts(full, lambda moment: moment.isocalendar()[:2], left)
        months = _firsts(full, lambda moment: (moment.year, moment.month), left)
        yield from ((backup.id, "the first of its week") for backup in _last(weeks, policy.weekly, left))
        yield from ((backup.id, "the first of its month") for backup in _last(months, policy.monthly, left))

    return rule


def _firsts(
    full: Sequence[Backup], period: Callable[[datetime], tuple[int, ...]], left: frozenset[str]
) -> list[Backup]:
    """The first backup of each period, oldest first; one of a history that was left only where there is no other."""
    first: dict[tuple[int, ...], Backup] = {}
    for backup in sorted(full, key=lambda backup: backup.id in left):
        first.setdefault(period(backup.finished_at), backup)
    return [first[when] for when in sorted(first)]


def _minimum(left: frozenset[str]) -> _Rule:
    def rule(backups: Sequence[Backup], policy: Policy, _now: datetime) -> Reasons:
        good = restorable(backups)
        for backup in _last(good or _physical(backups), policy.minimum, left):
            many = counted(policy.minimum, "good backup" if good else "backup")
            yield backup.id, f"never fewer than {many}{'' if good else _NONE_GOOD}"

    return rule


def restorable(backups: Sequence[Backup]) -> list[Backup]:
    """Physical backups that are good, with all that they are built on."""
    by_id = {backup.id: backup for backup in backups}

    def whole(backup: Backup) -> bool:
        chain = [backup, *ancestors(backup, by_id)]
        return chain[-1].parent is None and all(each.status is Status.OK for each in chain)

    return [backup for backup in _physical(backups) if whole(backup)]


def _physical(backups: Sequence[Backup]) -> list[Backup]:
    return [backup for backup in backups if backup.kind is not Kind.LOGICAL]
