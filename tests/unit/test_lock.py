"""One job at a time: who gets the lock of a lakehouse, who waits, who is taken for dead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from obstore.store import LocalStore

from churn_spark.config import LockConfig, load_config
from churn_spark.contracts.tables import LOG_DATES
from churn_spark.errors import ConfigError, LockedError, LockStoreError
from churn_spark.lakehouse import lock as locks
from churn_spark.lakehouse import lock_holder
from churn_spark.lakehouse.lock import is_dead, keep_renewed, take_lock
from churn_spark.lakehouse.lock_guard import guarded_by
from churn_spark.lakehouse.lock_holder import LockHolder, Process, find_process, this_holder
from churn_spark.lakehouse.lock_store import ConditionalStore, require_safe
from churn_spark.lakehouse.lock_tenure import HeldLock, Tenure, begin_tenure, find_tenure
from tests.local_lakehouse import open_local

CONFIG = LockConfig(required=True, renew_seconds=0.1, stale_minutes=5)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> ConditionalStore:
    return ConditionalStore(LocalStore(tmp_path, mkdir=True))


@dataclass
class Taking:
    """A function that takes the lock, and what was said meanwhile."""

    store: ConditionalStore
    said: list[str] = field(default_factory=list)

    def __call__(self, holder: LockHolder | None = None, wait: float = 0) -> HeldLock:
        holder = holder or this_holder("nightly", [])
        return take_lock(self.store, "/lake", holder, CONFIG, wait, self.said.append)


@pytest.fixture
def take(store: ConditionalStore) -> Taking:
    return Taking(store)


@dataclass
class Clock:
    """Stands for `time` where a lock is waited for: it passes by sleeps alone, and others act then.

    Attributes:
        now: seconds that have passed.
        acts: what others do, one at the end of each sleep.
    """

    now: float = 0.0
    acts: list[Callable[[], object]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.acts:
            self.acts.pop(0)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(locks, "time", clock)
    return clock


def elsewhere(silent: timedelta = timedelta(0)) -> LockHolder:
    """A holder on another machine that was silent for some time."""
    seen = datetime.now(UTC) - silent
    here = this_holder("train_model", [])
    return replace(here, owner="ada", host="h2", machine="m2", taken_at=seen, renewed_at=seen)


def hold_elsewhere(store: ConditionalStore, silent: timedelta = timedelta(0)) -> None:
    store.create("_lock/00000007.json", elsewhere(silent).to_json())


def ended_process() -> Process:
    """One of this machine that has ended and was asked for."""
    with subprocess.Popen(["sleep", "60"]) as running:
        process = find_process(running.pid)
        running.kill()
    assert process is not None
    return process


def test_lock_is_taken_once_until_it_is_released(take: Taking) -> None:
    first = take()
    with pytest.raises(LockedError) as refused:
        take()
    assert refused.value.exit_code == 40
    told = str(refused.value)
    assert f"in use by nightly (process {os.getpid()} of " in told
    assert "since 20" in told
    assert "--wait MINUTES" in told
    first.release()
    assert take().number == 2


def test_lock_leaves_one_file_that_says_who_it_was(take: Taking, tmp_path: Path) -> None:
    for _ in range(3):
        take().release()
    assert [path.name for path in (tmp_path / "_lock").iterdir()] == ["00000003.json"]
    tenure = find_tenure(take.store)
    assert tenure is not None
    assert tenure.holder.is_released
    assert tenure.holder == LockHolder.from_json(tenure.holder.to_json())


def test_second_waits_for_the_first(take: Taking, clock: Clock) -> None:
    first = take()
    clock.acts = [lambda: None, lambda: None, first.release]
    assert take(wait=1).number == 2
    assert clock.acts == []
    assert len(take.said) == 1
    assert take.said[0].startswith(f"waits for nightly (process {os.getpid()} of")


def test_wait_ends_with_who_still_holds_it(take: Taking) -> None:
    take()
    with pytest.raises(LockedError, match=r"in use after 0\.01 minutes by nightly"):
        take(wait=0.01)


def test_lock_of_a_process_that_is_gone_is_taken_over(take: Taking) -> None:
    take(replace(this_holder("train_model", []), processes=[ended_process()]))
    assert take().number == 2
    assert take.said[0].startswith("goes on after train_model (process ")


def test_process_of_the_same_number_that_began_later_is_another(take: Taking) -> None:
    take(replace(this_holder("nightly", []), processes=[Process(os.getpid(), "1")]))
    assert take().number == 2


def test_jvm_that_outlives_its_python_still_holds_the_lock(take: Taking) -> None:
    own = this_holder("nightly", [])
    take(replace(own, processes=[ended_process(), *own.processes]))
    with pytest.raises(LockedError):
        take()


def test_process_whose_parent_has_not_asked_is_gone() -> None:
    zombie = subprocess.Popen(["true"])
    # Until it has ended, and without asking for its code.
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert find_process(zombie.pid) is None
    zombie.wait()


def test_process_of_this_machine_is_never_dead_while_it_is_there(store: ConditionalStore) -> None:
    lock = begin_tenure(store, None, this_holder("nightly", []))
    assert lock is not None
    long_ago = datetime.now(UTC) - timedelta(days=1)
    stopped = replace(lock.holder, renewed_at=long_ago)
    store.exchange("_lock/00000001.json", stopped.to_json())
    found = find_tenure(store)
    assert found is not None
    assert not is_dead(found, 1e9, CONFIG)


def test_holder_elsewhere_is_alive_for_some_minutes(take: Taking) -> None:
    hold_elsewhere(take.store, timedelta(minutes=4))
    with pytest.raises(LockedError, match=r"of ada on h2.* after 5 minutes its lock"):
        take()


def test_holder_elsewhere_that_was_silent_for_long_is_watched_and_taken_over(
    take: Taking, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_POLL_SECONDS", CONFIG.renew_seconds)
    hold_elsewhere(take.store, timedelta(minutes=6))
    assert take().number == 8
    assert clock.now == pytest.approx(3 * CONFIG.renew_seconds, abs=1.1 * CONFIG.renew_seconds)


def test_holder_elsewhere_whose_clock_is_late_is_not_taken_for_dead(
    take: Taking, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_POLL_SECONDS", CONFIG.renew_seconds)
    hold_elsewhere(take.store, timedelta(minutes=6))
    alive = elsewhere()
    released = replace(alive, is_released=True)
    renewed = [
        replace(alive, renewed_at=datetime.now(UTC) - timedelta(minutes=6, seconds=-n))
        for n in range(20)
    ]
    clock.acts = [
        partial(take.store.exchange, "_lock/00000007.json", one.to_json())
        for one in (*renewed, released)
    ]
    assert take(wait=1).number == 8
    assert clock.acts == []


def test_second_does_not_wait_for_a_holder_that_renews_by_a_late_clock(
    take: Taking, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_POLL_SECONDS", CONFIG.renew_seconds)
    hold_elsewhere(take.store, timedelta(minutes=6))
    hold = replace(elsewhere(), renewed_at=datetime.now(UTC) - timedelta(minutes=5, seconds=59))
    clock.acts = [partial(take.store.exchange, "_lock/00000007.json", hold.to_json())]
    with pytest.raises(LockedError, match="in use by train_model"):
        take()


def test_holder_elsewhere_whose_clock_was_ahead_is_watched_and_taken_over(take: Taking) -> None:
    watched = CONFIG.model_copy(update={"stale_minutes": 0.01})
    found = Tenure(7, replace(elsewhere(), renewed_at=datetime.now(UTC) + timedelta(hours=2)))
    assert not is_dead(found, 0.5, watched)
    assert is_dead(found, 0.7, watched)
    # Silent for as long by a clock, it has to be watched for some renewals.
    silent = Tenure(7, elsewhere(timedelta(minutes=6)))
    assert not is_dead(silent, 2.9 * CONFIG.renew_seconds, CONFIG)


def test_holder_whose_lock_was_taken_stops_and_leaves_the_lock_alone(
    take: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn_spark.lakehouse.lock_tenure._SURE_SECONDS", 0.0)
    lock = take()
    lock.check()
    taken = elsewhere()
    take.store.create("_lock/00000002.json", taken.to_json())
    with pytest.raises(LockedError, match=r"train_model \(process \d+ of ada on h2\) since"):
        lock.check()
    lock.renew()
    lock.release()
    found = find_tenure(take.store)
    assert found is not None
    assert (found.number, found.holder) == (2, taken)
    assert find_tenure(take.store) == found


def test_holder_whose_lock_is_gone_is_told_so_and_not_that_it_was_silent(
    take: Taking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn_spark.lakehouse.lock_tenure._SURE_SECONDS", 0.0)
    lock = take()
    shutil.rmtree(tmp_path / "_lock")
    with pytest.raises(LockedError, match=r"no _lock/00000001\.json .* \(no job has it now\)"):
        lock.check()
    lock.renew()
    lock.release()
    assert find_tenure(take.store) is None, "a lakehouse that was moved away isn't begun anew"


def test_holder_in_whose_lakehouse_another_one_has_begun_anew_names_it(
    take: Taking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn_spark.lakehouse.lock_tenure._SURE_SECONDS", 0.0)
    take().release()
    lock = take()
    shutil.rmtree(tmp_path / "_lock")
    take.store.create("_lock/00000001.json", elsewhere().to_json())
    with pytest.raises(LockedError, match=r"\(now train_model \(process \d+ of ada .* has it\)"):
        lock.check()


def test_process_that_cannot_be_looked_at_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [mine], ended = this_holder("nightly", []).processes, ended_process()
    (tmp_path / "self").mkdir()
    monkeypatch.setattr(lock_holder, "_PROC", tmp_path)
    assert (mine.is_gone, ended.is_gone) == (False, True)


def test_holder_here_that_cannot_be_looked_at_is_dead_when_it_is_silent(
    take: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = take()
    monkeypatch.setattr(lock_holder, "is_hidden", lambda _: True)
    assert not is_dead(Tenure(1, lock.holder.renewed()), 60.0, CONFIG)
    long_ago = datetime.now(UTC) - timedelta(minutes=6)
    assert is_dead(Tenure(1, replace(lock.holder, renewed_at=long_ago)), 1e9, CONFIG)


def test_lock_is_renewed_while_it_is_held_and_released_at_the_end(
    take: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, renew, is_renewed = take(), HeldLock.renew, threading.Event()

    def renew_and_tell(held: HeldLock) -> None:
        renew(held)
        is_renewed.set()

    monkeypatch.setattr(HeldLock, "renew", renew_and_tell)
    first = find_tenure(take.store)
    with keep_renewed(lock, 0.05):
        assert is_renewed.wait(60)
        later = find_tenure(take.store)
    released = find_tenure(take.store)
    assert first is not None
    assert later is not None
    assert released is not None
    assert first.holder.renewed_at < later.holder.renewed_at
    assert (later.holder.is_released, released.holder.is_released) == (False, True)


def test_renewal_that_fails_is_told_in_a_line_and_tried_again(
    take: Taking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lock, renew, is_renewed = take(), HeldLock.renew, threading.Event()

    def fail_once(held: HeldLock) -> None:
        if not caplog.messages:
            raise OSError("PUT http://s3:9/_lock\n\nerror sending request\nDebug source: {")
        renew(held)
        is_renewed.set()

    monkeypatch.setattr(HeldLock, "renew", fail_once)
    with keep_renewed(lock, 0.05):
        assert is_renewed.wait(10)
    [told] = caplog.messages
    assert "tried again in 0.05 s" in told
    assert "a server that this needs does not answer (error sending request)" in told
    assert caplog.records[0].exc_info is None


def test_slow_one_that_makes_a_file_of_long_ago_has_no_lock(store: ConditionalStore) -> None:
    me = this_holder("nightly", [])
    seen = begin_tenure(store, None, me)
    assert seen is not None
    seen.release()
    found = find_tenure(store)
    # Meanwhile others take it and give it back, and remove the files before theirs.
    last = found
    for _ in range(3):
        other = begin_tenure(store, last, me)
        assert other is not None
        other.release()
        last = find_tenure(store)
    assert begin_tenure(store, found, me) is None
    assert find_tenure(store) == last


COUNT = """
import sys
from pathlib import Path
from obstore.store import LocalStore
from churn_spark.config import LockConfig
from churn_spark.lakehouse import lock
from churn_spark.lakehouse.lock_holder import this_holder
from churn_spark.lakehouse.lock_store import ConditionalStore

lock._POLL_SECONDS = 0.001
folder = Path(sys.argv[1])
store = ConditionalStore(LocalStore(folder))
config = LockConfig(required=True, renew_seconds=1, stale_minutes=5)
for _ in range(25):
    held = lock.take_lock(store, "lake", this_holder("count", []), config, 1, str)
    n = int((folder / "n").read_text())
    (folder / "n").write_text(str(n + 1))
    held.release()
"""


def test_many_processes_at_once_lose_no_turn(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert (tmp_path / "n").read_text() == "100"


def test_no_write_goes_through_without_the_lock(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path / "lakehouse")
    rows = [(date(2018, 10, 1), 5, "in the log")]
    lakehouse.replace_rows(rows, LOG_DATES, {})
    before = lakehouse.read_arrow(LOG_DATES)

    def refuse() -> None:
        raise LockedError("taken")

    writes: list[Callable[[], object]] = [
        lambda: lakehouse.replace_rows([], LOG_DATES, {}),
        lambda: lakehouse.delete_rows(LOG_DATES, {"n_events": [5]}),
        lambda: lakehouse.create(LOG_DATES),
        lambda: lakehouse.vacuum(LOG_DATES),
    ]
    for write in writes:
        with guarded_by(refuse), pytest.raises(LockedError):
            write()
    assert lakehouse.read_arrow(LOG_DATES) == before
    lakehouse.replace_rows([], LOG_DATES, {})
    assert lakehouse.count_rows(LOG_DATES) == 0


def test_store_that_makes_a_file_twice_is_refused(store: ConditionalStore) -> None:
    @dataclass(frozen=True)
    class Careless(ConditionalStore):
        def create(self, path: str, content: bytes) -> bool:
            self.exchange(path, content)
            return True

    require_safe(store, "s3://lake")
    with pytest.raises(LockStoreError, match=r"s3://lake.*conditional puts.*lock\.required=false"):
        require_safe(Careless(store.store), "s3://lake")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"processes": 1}'])
def test_lock_that_says_nothing_is_named(take: Taking, content: bytes) -> None:
    take.store.create("_lock/00000001.json", content)
    with pytest.raises(LockStoreError, match=r"found _lock/00000001\.json .* delete it"):
        take()


def test_holder_may_be_late_a_few_times() -> None:
    with pytest.raises(ConfigError, match="five times renew_seconds"):
        load_config(overrides=["lock.stale_minutes=1", "lock.renew_seconds=20"])
