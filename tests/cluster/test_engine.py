import os
import signal
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dask
import pytest
from distributed.comm import CommClosedError
from tests.cluster import tasks

from loadproof.cluster import dask_map, dask_task
from loadproof.cluster.engine import engine
from loadproof.config import read_config
from loadproof.errors import ConfigError, EngineError, TasksError


@pytest.fixture(scope="module")
def map_():
    """A map over two workers of its own cluster on this machine."""
    with engine("dask", workers=2) as carried:
        yield carried


@pytest.fixture(scope="module")
def alone():
    """A map over one worker of its own cluster."""
    with engine("dask", workers=1) as carried:
        yield carried


def test_the_plain_engine_is_the_map_it_is_given():
    with engine() as plain, engine("plain", plain=list) as other:
        assert plain is map
        assert other is list


def test_100_results_come_in_order_from_2_processes_that_are_not_this_one(map_):
    results = list(map_(tasks.double, range(100)))
    assert [result for result, _ in results] == [2 * number for number in range(100)]
    assert len({pid for _, pid in results} - {os.getpid()}) == 2


def test_workers_of_ones_own_watch_themselves_less_and_keep_their_allocator_as_it_is(map_):
    names = ["OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"]
    assert list(map_(partial(tasks.environment_of, names), [1])) == [{"OMP_NUM_THREADS": "1"}]
    settings = ["distributed.worker.profile.enabled", "distributed.admin.tick.interval"]
    assert list(map_(tasks.dask_setting, settings)) == [False, "500ms"]


def test_an_interrupt_is_for_the_command_and_not_for_workers_of_its_own(map_):
    held_back = partial(signal.pthread_sigmask, signal.SIG_BLOCK)
    assert list(map_(held_back, [()])) == [{signal.SIGINT}]
    assert held_back([]) == set()


def test_two_failed_tasks_of_20_are_named_when_the_18_others_are_done(map_):
    done, results = [], map_(partial(tasks.fail_at, (3, 7)), range(20))
    with pytest.raises(
        EngineError, match=r"3: ValueError: 3 is bad; 7: ValueError: 7 is bad \(2 such, all others"
    ) as told:
        for result in results:
            done.append(result)
    assert done == [number for number in range(20) if number not in (3, 7)]
    assert str(told.value).endswith("run the same command again, it goes on from what it has kept")


def test_an_error_with_its_own_mend_is_told_in_its_words_with_no_traceback_and_of_no_others_where_there_is_none(
    map_, caplog
):
    with pytest.raises(TasksError, match=r"^bad.yaml: bad.yaml: does not exist; .* --config; mend what is said"):
        list(map_(read_config, [Path("bad.yaml")]))
    assert "Traceback" not in caplog.text


def test_a_task_that_raises_once_is_tried_again(map_, tmp_path):
    assert list(map_(partial(tasks.raise_once, str(tmp_path)), range(3))) == [0, 1, 2]


def test_a_task_that_kills_its_worker_is_named_after_2_of_it_alone_and_the_others_are_done(map_):
    done = []
    with pytest.raises(
        EngineError, match=r"^3: 2 workers died of it alone, the last at tls://127.* \(all others are done\)"
    ):
        for result in map_(partial(tasks.kill_itself, (3,)), range(6)):
            done.append(result)
    assert done == [0, 1, 2, 4, 5]


def test_tasks_in_the_queue_of_a_worker_that_two_others_kill_are_done_and_not_blamed(alone, caplog):
    """The second killer is given out while those are tried again that the first was ahead of."""
    done = []
    with pytest.raises(
        EngineError, match=r"^3: 2 workers died .*; 67: 2 workers died .* \(2 such, all others are done\)"
    ):
        for result in alone(partial(tasks.kill_itself, (3, 67)), range(70)):
            done.append(result)
    assert done == [number for number in range(70) if number not in (3, 67)]
    blamed = [record.args for record in caplog.records if record.msg.endswith("it is tried again")]
    assert {("3", 2), ("67", 2)} <= set(blamed)  # and mostly whoever stood behind them


def test_a_task_that_is_tried_alone_takes_no_result_of_the_others_with_it(alone, tmp_path):
    done = []
    with pytest.raises(EngineError, match=r"^1: 2 workers died of it alone.* \(all others are done\)"):
        for result in alone(partial(tasks.mark, str(tmp_path), 1), range(4)):
            done.append(result)
    assert done == [0, 2, 3]
    marks = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    begun = "".join(path.name[0] for path in marks)
    assert begun.count("1") == 4
    alone_from = [place for place, name in enumerate(begun) if name == "1"][2]
    before, after = (set(part) - {"1"} for part in (begun[:alone_from], begun[alone_from:]))
    assert not before & after  # what was done when it began for the third time, alone, is not done again


@pytest.mark.parametrize("step", ["_wait", "_gathered"])
def test_a_result_lost_with_its_worker_when_it_was_waited_for_or_before_it_is_fetched_is_made_again(
    alone, monkeypatch, step
):
    kept, lost = getattr(dask_task, step), []

    def lose(client, future):
        (pid,) = client.run(os.getpid).values()
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while future.status == "finished" and time.monotonic() < until:
            time.sleep(0.01)
        lost.append(future.status)

    def slow(client, future):
        told = kept(client, future) if step == "_wait" else None
        if not lost:
            lose(client, future)
        return told if step == "_wait" else kept(client, future)

    monkeypatch.setattr(dask_task, step, slow)
    assert list(alone(partial(tasks.fail_at, ()), range(4))) == [0, 1, 2, 3]
    assert lost in (["lost"], ["pending"])


def test_a_connection_lost_in_the_middle_of_a_look_is_the_scheduler_s_loss(map_, monkeypatch):
    def cut(client, future):
        raise CommClosedError("in <TLS (closed)>: Stream is closed")

    monkeypatch.setattr(dask_task, "_wait", cut)
    with pytest.raises(
        EngineError, match=r"^the scheduler went away during 0; start it and run the same command again"
    ):
        list(map_(tasks.double, range(3)))


def test_a_worker_of_another_version_is_refused_also_if_it_comes_when_the_map_has_begun(map_, monkeypatch):
    own = dask_map._own_versions()
    other = f"worker tls://.*: has numpy {own['numpy']}, and where the command runs it is 1.0, so that"
    monkeypatch.setattr(dask_map, "_own_versions", lambda: {**own, "numpy": "1.0"})
    with pytest.raises(EngineError, match=f"^{other}"):
        list(map_(tasks.double, range(2)))
    monkeypatch.setattr(dask_map, "_threads", lambda client: 2)  # nobody was there yet
    with pytest.raises(EngineError, match=f"^0: {other}"):
        list(map_(tasks.double, range(2)))


def test_workers_that_are_all_paused_are_said_and_not_waited_for_without_end(alone, monkeypatch):
    monkeypatch.setattr(dask_task, "PATIENCE_S", 2)
    monkeypatch.setattr(dask_task, "_LOOK_S", 0.5)
    done, (connect,) = [], alone.args
    with connect() as client:
        client.wait_for_workers(1, timeout=120)
        try:
            with pytest.raises(
                EngineError, match=r"all workers are paused, for memory .* for 2 s; restart them with DASK_"
            ):
                for result in alone(tasks.pause, range(4)):
                    done.append(result)
        finally:
            client.run(tasks.unpause)
    assert len(done) < 4


def test_results_are_few_on_their_way_however_many_items_there_are(map_):
    taken = []

    def items():
        for number in range(200):
            taken.append(number)
            yield number

    results = map_(tasks.double, items())
    assert taken == []  # nothing begins before somebody wants it
    next(iter(results))
    assert len(taken) == 64
    results.close()


def test_an_engine_that_is_not_there_says_what_to_start(monkeypatch):
    monkeypatch.setattr(dask_map, "PATIENCE_S", 1)
    with (
        pytest.raises(EngineError, match=r"tcp://127.0.0.1:9: .*; start the scheduler there"),
        engine("dask", address="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8786", "http://127.0.0.1:8786", "tls://127.0.0.1", "tcp://127.0.0.1:8786/status", "tcp://:9"]
)
def test_an_address_that_is_none_of_a_scheduler_is_refused_with_how_to_write_one(address):
    wanted = f"^{address}: is no address of a scheduler; write DASK_SCHEDULER_ADDRESS as tls://HOST:PORT"
    with pytest.raises(ConfigError, match=wanted), engine("dask", address=address):
        pass


@pytest.mark.parametrize("lost", ["CA_FILE", "CLIENT__CERT", "CLIENT__KEY"])
def test_a_certificate_that_is_not_where_it_is_named_is_named_with_its_variable(tmp_path, lost):
    (tmp_path / "there.pem").touch()
    names = {"CA_FILE": "ca-file", "CLIENT__CERT": "client.cert", "CLIENT__KEY": "client.key"}
    files = {name: tmp_path / ("lost.pem" if name == lost else "there.pem") for name in names}
    settings = {f"distributed.comm.tls.{key}": str(files[name]) for name, key in names.items()}
    wanted = f"^{tmp_path}/lost.pem: is no file; mend DASK_DISTRIBUTED__COMM__TLS__{lost}$"
    with (
        dask.config.set(settings),
        pytest.raises(ConfigError, match=wanted),
        engine("dask", address="tls://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("status", [200, 404])
def test_a_dashboard_is_told_of_where_it_is_served(status):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert dask_map._answers(f"http://127.0.0.1:{server.server_port}/status") == (status == 200)
    assert not dask_map._answers(f"http://127.0.0.1:{server.server_port}/status")  # nobody is there now
