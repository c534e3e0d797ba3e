"""KV files on disk: what comes back is what was kept, whatever happened to the files, the folder and the disk."""

import contextlib
import ctypes
import dataclasses
import json
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from spark_lsp.app import kv_cache_folder, open_engine
from spark_lsp.cli.engine import app
from spark_lsp.config import EngineSettings, Settings
from spark_lsp.engine.local.address import endpoint_of
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed, ModelUnusable
from spark_lsp.llama.kv.block_store import (
    FOOTER_BYTES,
    LEFTOVER_AGE_S,
    BlockStore,
    Setup,
    fingerprint_of,
    model_identity,
)
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.llama.loading.native import L
from tests.llama.gguf_files import SHIPPED
from tests.support.marks import posix_only

FINGERPRINT = b"f" * 32
QUOTA = 1_000_000
NOBODY = 65_534
TOKENS = np.arange(2048, dtype=np.int32)
SETUP = Setup(
    model=b"m" * 32,
    layers=28,
    key_type=1,
    value_type=1,
    flash_attention=1,
    rope_scaling=0,
    rope_freq_base=1e6,
    rope_freq_scale=1.0,
    yarn_original_tokens=32_768,
    yarn_ext_factor=-1.0,
    yarn_attn_factor=1.0,
    yarn_beta_fast=32.0,
    yarn_beta_slow=1.0,
    library="1.2.3 abcdef0",
)


def store_at(folder: Path, quota_bytes: int = QUOTA, fingerprint: bytes = FINGERPRINT) -> BlockStore:
    return BlockStore(folder, fingerprint, quota_bytes)


def keep(store: BlockStore, name: bytes, content: bytes, token_count: int = 2048) -> bool:
    """Write a block as the engine does."""
    tmp = store.writing(name)
    if tmp is None:
        return False
    tmp.write_bytes(content)
    return store.commit(name, tmp, token_count, len(content))


def content_of(store: BlockStore, name: bytes, token_count: int = 2048) -> bytes | None:
    """Read a block as llama.cpp does, which ignores what follows the state."""
    path = store.verified(name, token_count)
    return path.read_bytes()[:-FOOTER_BYTES] if path else None


def chain(store: BlockStore, count: int, salt: int = 0) -> list[bytes]:
    """Name the blocks of one cached prefix."""
    names = [b""]
    for number in range(count):
        names.append(store.name(names[-1], TOKENS + 10_000 * salt + number))
    return names[1:]


def aged(folder: Path, *names: bytes) -> None:
    """Make blocks look unused for ever longer: the first one longest."""
    for number, name in enumerate(names):
        os.utime(folder / f"{name.hex()}.kv", (1000.0 + number, 1000.0 + number))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What is kept comes back


def test_a_block_comes_back_in_another_process(tmp_path: Path) -> None:
    name = chain(store_at(tmp_path), 1)[0]
    assert keep(store_at(tmp_path), name, b"state")
    later = store_at(tmp_path)
    assert later.has(name)
    assert content_of(later, name) == b"state"


def test_what_was_never_kept_is_not_there(tmp_path: Path) -> None:
    store = store_at(tmp_path / "kv")
    (name,) = chain(store, 1)
    assert (store.has(name), store.verified(name, 2048), store.purge()) == (False, None, (0, 0))


def test_a_name_depends_on_all_that_the_state_depends_on(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    other_model = store_at(tmp_path, fingerprint=b"g" * 32)
    first = store.name(b"", TOKENS)
    names = {
        first,
        store.name(first, TOKENS),
        store.name(b"", TOKENS[:-1]),
        store.name(b"", TOKENS + 1),
        other_model.name(b"", TOKENS),
    }
    assert len(names) == 5
    assert {len(name) for name in names} == {32}
    assert first == store_at(tmp_path).name(b"", np.array(TOKENS, np.int64)), "the same in every process, for any width"


def test_a_file_under_another_name_or_for_another_count_is_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    first, second, third = chain(store, 3)
    assert keep(store, first, b"state")
    assert keep(store, third, b"state", token_count=7)
    shutil.copy(tmp_path / f"{first.hex()}.kv", tmp_path / f"{second.hex()}.kv")
    assert store.verified(second, 2048) is None
    assert store.verified(third, 8) is None
    assert files_in(tmp_path) == [f"{first.hex()}.kv"]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_never_comes_back_as_a_block(data: st.DataObject) -> None:
    """Any bytes changed, cut, put in or appended, in the state or in our footer."""
    with tempfile.TemporaryDirectory() as folder:
        store = store_at(Path(folder))
        (name,) = chain(store, 1)
        assert keep(store, name, data.draw(st.binary(min_size=1, max_size=300)))
        path = Path(folder) / f"{name.hex()}.kv"
        original = path.read_bytes()
        at = data.draw(st.integers(0, len(original)))
        until = data.draw(st.integers(at, len(original)))
        put = data.draw(st.one_of(st.just(b""), st.binary(max_size=80), st.just(bytes(until - at))))
        damaged = original[:at] + put + original[until:]
        path.write_bytes(damaged)
        verified = store_at(Path(folder)).verified(name, 2048)
        if damaged == original:
            assert verified == path
            assert path.read_bytes() == original
        else:
            assert verified is None
            assert files_in(Path(folder)) == [], "what is not sound is removed"


def test_every_changed_bit_and_every_cut_is_found(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    assert keep(store, name, b"state" * 10)
    path = tmp_path / f"{name.hex()}.kv"
    original = path.read_bytes()
    flipped = [bytearray(original) for _ in range(8 * len(original))]
    for bit, block in enumerate(flipped):
        block[bit // 8] ^= 1 << bit % 8
    for damaged in [*flipped, *(original[:size] for size in range(len(original))), original + b"\0", original * 2]:
        path.write_bytes(damaged)
        assert store.verified(name, 2048) is None
    path.write_bytes(original)
    assert store.verified(name, 2048) == path


# Writers


def test_nothing_is_seen_before_it_is_whole(tmp_path: Path) -> None:
    store, other_store = store_at(tmp_path), store_at(tmp_path)
    (name,) = chain(store, 1)
    tmp = store.writing(name)
    assert tmp is not None
    tmp.write_bytes(b"state")
    assert (store.has(name), other_store.has(name), other_store.verified(name, 2048)) == (False, False, None)
    assert store.commit(name, tmp, 2048, 5)
    assert (store.has(name), other_store.has(name)) == (True, True)


@pytest.mark.parametrize(("token_count", "there"), [(0, b""), (0, b"half"), (5, b"half"), (4, b"longer"), (-1, b"")])
def test_a_state_that_is_not_as_long_as_llama_said_is_refused(tmp_path: Path, token_count: int, there: bytes) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    tmp = store.writing(name)
    assert tmp is not None
    tmp.write_bytes(there)
    assert not store.commit(name, tmp, 2048, token_count)
    assert files_in(tmp_path) == []


def test_leftovers_of_killed_writers_go_and_running_ones_stay(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    killed, running = store.writing(name), store.writing(name)
    assert killed
    assert running
    assert killed != running
    long_ago = time.time() - LEFTOVER_AGE_S - 10
    os.utime(killed, (long_ago, long_ago))
    store_at(tmp_path)
    assert files_in(tmp_path) == [running.name]


# The quota


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    store = store_at(tmp_path, quota_bytes=3 * (1000 + FOOTER_BYTES))
    first, second, third, fourth = (chain(store, 1, salt)[0] for salt in range(4))
    assert all(keep(store, name, bytes(1000)) for name in (first, second, third))
    aged(tmp_path, first, second, third)
    assert store.verified(first, 2048)
    assert keep(store, fourth, bytes(1000))
    assert [store.has(name) for name in (first, second, third, fourth)] == [True, False, True, True]


def test_a_block_goes_before_those_in_front_of_it(tmp_path: Path) -> None:
    store = store_at(tmp_path, quota_bytes=4 * (1000 + FOOTER_BYTES))
    cached_prefix = chain(store, 3)
    assert all(keep(store, name, bytes(1000)) for name in cached_prefix)
    assert all(store.verified(name, 2048) for name in cached_prefix)
    for salt in (1, 2):
        assert keep(store, chain(store, 1, salt)[0], bytes(1000))
    assert [store.has(name) for name in cached_prefix] == [True, True, False]


def test_a_block_without_room_beside_its_own_cached_prefix_is_refused(tmp_path: Path) -> None:
    store = store_at(tmp_path, quota_bytes=2 * (1000 + FOOTER_BYTES))
    cached_prefix = chain(store, 3)
    assert [keep(store, name, bytes(1000)) for name in cached_prefix] == [True, True, False]
    assert [store.has(name) for name in cached_prefix] == [True, True, False]
    assert not keep(store, chain(store, 1, 1)[0], bytes(3000)), "larger than the quota"
    assert len(files_in(tmp_path)) == 2


def test_a_smaller_quota_holds_from_the_start_and_for_other_models(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    names = [chain(store, 1, salt)[0] for salt in range(5)]
    assert all(keep(store, name, bytes(1000)) for name in names)
    aged(tmp_path, *names)
    other_store = store_at(tmp_path, 2 * (1000 + FOOTER_BYTES), b"g" * 32)
    assert [store.has(name) for name in names] == [False, False, False, True, True]
    assert keep(other_store, chain(other_store, 1)[0], bytes(1000))
    assert [store.has(name) for name in names[3:]] == [False, True]


def test_purge_removes_ours_only(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    assert keep(store, name, b"state")
    tmp = store.writing(name)
    assert tmp
    tmp.write_bytes(b"unfinished")
    for foreign in ("notes.txt", "a.kv", f"{name.hex()}.kv.bak", "x.tmp"):
        (tmp_path / foreign).write_text("not ours")
    assert store.purge() == (2, 5 + FOOTER_BYTES + 10)
    assert not store.has(name)
    assert not store.commit(name, tmp, 2048, 10), "the writer notices"
    assert files_in(tmp_path) == sorted(["notes.txt", "a.kv", f"{name.hex()}.kv.bak", "x.tmp"])


# Several at once


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["keep", "has", "read", "purge"]), st.integers(0, 4))))
@settings(max_examples=100, deadline=None)
def test_two_stores_never_lie_to_each_other(steps: list[tuple[int, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        quota = 3 * (100 + FOOTER_BYTES)
        stores = [store_at(Path(folder), quota) for _ in range(2)]
        names, same = (chain(store, 5) for store in stores)
        assert names == same
        for which, step, number in steps:
            store, name = stores[which], names[number]
            there = (Path(folder) / f"{name.hex()}.kv").exists()
            assert store.has(name) == there
            if step == "keep":
                assert keep(store, name, bytes([number]) * 100) == store.has(name)
            elif step == "read":
                assert content_of(store, name) == (bytes([number]) * 100 if there else None)
            elif step == "purge":
                store.purge()
            sizes = [path.stat().st_size for path in Path(folder).iterdir()]
            assert sum(sizes) <= quota


def test_two_engines_that_race_read_whole_blocks_or_none(tmp_path: Path) -> None:
    wrong: list[object] = []
    whole: list[bytes] = []

    def work(number: int) -> None:
        try:
            store = store_at(tmp_path, quota_bytes=4 * 60_000)
            names = [chain(store, 1, salt)[0] for salt in range(6)]
            for step in range(60):
                salt = (step * (1 + number)) % 6
                keep(store, names[salt], bytes([salt]) * 50_000)
                path = store.verified(names[salt - 1], 2048)
                if step % 20 == 19:
                    store.purge()
                with contextlib.suppress(FileNotFoundError):  # the other one may remove it; llama.cpp refuses then
                    if path:
                        read = path.read_bytes()[:-FOOTER_BYTES]
                        (whole if read == bytes([(salt - 1) % 6]) * 50_000 else wrong).append(read[:1])
        except BaseException as error:  # noqa: BLE001 - told by the test, which a thread's own error would not fail
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert whole
    assert [name for name in files_in(tmp_path) if name.endswith(".tmp")] == []


# A bad disk


@posix_only
def test_files_and_folder_are_the_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "kv"
    folder.mkdir(parents=True, mode=0o755)
    store = store_at(folder)
    (name,) = chain(store, 1)
    tmp = store.writing(name)
    assert tmp is not None
    assert _mode(tmp) == 0o600
    tmp.write_bytes(b"state")
    assert store.commit(name, tmp, 2048, 5)
    assert (store.note, _mode(folder), _mode(folder / f"{name.hex()}.kv")) == ("", 0o700, 0o600)


@posix_only
def test_a_folder_that_others_can_write_is_refused_until_it_is_fixed(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    assert keep(store, name, b"state")
    tmp_path.chmod(0o777)
    store = store_at(tmp_path)
    assert "can be written by other users" in store.note
    assert (store.has(name), store.verified(name, 2048), store.writing(name)) == (False, None, None)
    tmp_path.chmod(0o700)
    assert keep(store, name, b"state")
    assert (store.note, content_of(store, name)) == ("", b"state")


@posix_only
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path
    if os.getuid() == 0:
        os.chown(folder, NOBODY, -1)
    else:
        folder = Path("/")
    store = store_at(folder)
    assert "belongs to another user" in store.note
    assert store.writing(chain(store, 1)[0]) is None


def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("not a folder")
    for folder in (tmp_path / "kv", tmp_path / "kv" / "deeper"):
        store = store_at(folder)
        (name,) = chain(store, 1)
        assert "cannot be used" in store.note
        assert (store.has(name), keep(store, name, b"state"), store.purge()) == (False, False, (0, 0))


def test_a_folder_that_goes_away_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "kv"
    store = store_at(folder)
    (name,) = chain(store, 1)
    assert keep(store, name, b"state")
    tmp = store.writing(name)
    assert tmp
    shutil.rmtree(folder)
    assert (store.has(name), store.verified(name, 2048)) == (False, None)
    assert not store.commit(name, tmp, 2048, 5)
    assert keep(store, name, b"state")
    assert store.has(name)


@posix_only
@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_file_is_no_block(tmp_path: Path, put: Callable[[Path], None]) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    put(tmp_path / f"{name.hex()}.kv")
    assert (store.has(name), store.verified(name, 2048)) == (False, None)


def test_a_folder_in_place_of_a_block_costs_that_block_only(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    first, second = chain(store, 2)
    (tmp_path / f"{first.hex()}.kv" / "inner").mkdir(parents=True)
    assert not keep(store, first, b"state")
    assert keep(store, second, b"state")
    assert files_in(tmp_path) == sorted([f"{first.hex()}.kv", f"{second.hex()}.kv"])


@contextlib.contextmanager
def _bound_by_permissions(folder: Path) -> Iterator[None]:
    """Be a user whom file modes bind; root gives the folder away and becomes nobody for a while."""
    if sys.platform == "linux" and os.getuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, -1)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
    else:
        yield


@posix_only
def test_a_folder_that_cannot_be_written_is_still_read() -> None:
    with tempfile.TemporaryDirectory() as temporary:  # not below pytest's own folder, which nobody but root may enter
        folder = Path(temporary)
        store = store_at(folder)
        first, second, new = chain(store, 3)
        assert keep(store, first, b"state")
        assert keep(store, second, b"other")
        (folder / f"{second.hex()}.kv").write_bytes(b"damaged")
        with _bound_by_permissions(folder):
            folder.chmod(0o500)
            store = store_at(folder, quota_bytes=10)
            assert (store.has(first), content_of(store, first), store.verified(second, 2048)) == (True, b"state", None)
            assert (store.writing(new), store.purge()) == (None, (0, 0))
            (folder / f"{first.hex()}.kv").chmod(0o000)
            assert store.verified(first, 2048) is None
            folder.chmod(0o700)


@contextlib.contextmanager
def _largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: every write past it fails, as on a full disk."""
    import resource  # noqa: PLC0415 - not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@posix_only
@pytest.mark.parametrize("room", [0, FOOTER_BYTES - 1])
def test_a_disk_that_is_full_at_the_footer_leaves_nothing(tmp_path: Path, room: int) -> None:
    store = store_at(tmp_path)
    (name,) = chain(store, 1)
    tmp = store.writing(name)
    assert tmp is not None
    tmp.write_bytes(bytes(100_000))
    with _largest_file(100_000 + room):
        assert not store.commit(name, tmp, 2048, 100_000)
    assert files_in(tmp_path) == []


# llama.cpp itself


@pytest.fixture(scope="module")
def context() -> Iterator[object]:
    model = GgufModel(str(SHIPPED), gpu_layers=0, vocab_only=False)
    params = L.llama_context_default_params()
    params.n_ctx, params.n_seq_max, params.n_outputs_max, params.kv_unified = 1024, 8, 8, True
    params.n_threads = params.n_threads_batch = 1
    llama_context = L.llama_init_from_model(model.handle, params)
    assert L.llama_decode(llama_context, L.llama_batch_get_one(_pointer(READ), len(READ))) == 0
    yield llama_context
    L.llama_free(llama_context)
    model.close()


READ = np.arange(100, 400, dtype=np.int32)


def _pointer(tokens: np.ndarray) -> object:
    return tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))


def _save(context: object, path: Path) -> int:
    written: int = L.llama_state_seq_save_file(context, os.fsencode(path), 0, _pointer(READ), len(READ))
    return written


@pytest.mark.model
def test_llama_reads_a_block_with_our_footer(tmp_path: Path, context: object) -> None:
    store = store_at(tmp_path, quota_bytes=10**9)
    name = store.name(b"", READ)
    tmp = store.writing(name)
    assert tmp is not None
    assert store.commit(name, tmp, len(READ), _save(context, tmp))
    path = store.verified(name, len(READ))
    assert path is not None
    tokens, count = np.zeros(512, np.int32), ctypes.c_size_t()
    read = L.llama_state_seq_load_file(
        context, os.fsencode(path), 5, _pointer(tokens), len(tokens), ctypes.byref(count)
    )
    assert read == path.stat().st_size - FOOTER_BYTES
    assert (tokens[: count.value] == READ).all()
    assert L.llama_memory_seq_pos_max(L.llama_get_memory(context), 5) == len(READ) - 1


@posix_only
@pytest.mark.model
@pytest.mark.parametrize("missing_bytes", [1, 100, 100_000])
def test_a_disk_that_is_full_while_llama_writes_leaves_nothing(
    tmp_path: Path, context: object, missing_bytes: int
) -> None:
    """Where the last bytes are missing, llama.cpp reports a success: they fail in a close that it does not check."""
    store = store_at(tmp_path / "kv", quota_bytes=10**9)
    name = store.name(b"", READ)
    whole = _save(context, tmp_path / "whole")
    tmp = store.writing(name)
    assert tmp is not None
    with _largest_file(whole - missing_bytes):
        written = _save(context, tmp)
        assert tmp.stat().st_size < whole
        assert not store.commit(name, tmp, len(READ), written)
    assert files_in(tmp_path / "kv") == []


# The fingerprint


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Setup)])
def test_every_fact_of_a_setup_is_in_its_fingerprint(field: str) -> None:
    value = getattr(SETUP, field)
    new_value = value + {bytes: b"x", int: 1, float: 0.5, str: "x"}[type(value)]
    changed = dataclasses.replace(SETUP, **{field: new_value})
    assert fingerprint_of(changed) != fingerprint_of(SETUP)
    assert fingerprint_of(dataclasses.replace(SETUP)) == fingerprint_of(SETUP)
    assert len(fingerprint_of(SETUP)) == 32


def test_a_model_trained_again_is_another_one_even_with_the_same_size_and_time(tmp_path: Path) -> None:
    first, second, touched = tmp_path / "one", tmp_path / "other", tmp_path / "touched"
    weights = np.zeros(3_000_000, np.uint8)
    for path, value in ((first, 1), (second, 2), (touched, 1)):
        weights[1_100_000:] = value
        path.write_bytes(weights.tobytes())
        os.utime(path, (1000.0, 1000.0))
    assert model_identity(first) == model_identity(touched) != model_identity(second)
    os.utime(touched, (2000.0, 2000.0))
    assert model_identity(first) != model_identity(touched)


def test_a_model_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="cannot be read"):
        model_identity(tmp_path / "gone")


# Launches and commands


def test_only_on_and_off_of_the_cache_make_another_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LSP_RUNTIME_DIR", str(tmp_path))
    off = EngineLaunch(model_path="model.gguf")
    on = msgspec.structs.replace(off, cache_folder="a", cache_bytes=1)
    assert endpoint_of(off) == endpoint_of(msgspec.structs.replace(off, cache_bytes=5))
    assert endpoint_of(off) == endpoint_of(msgspec.structs.replace(off, cache_folder="a"))
    assert endpoint_of(on) == endpoint_of(msgspec.structs.replace(off, cache_folder="b", cache_bytes=2))
    assert endpoint_of(on) != endpoint_of(off)


def test_the_setting_decides_whether_anything_is_kept() -> None:
    launches = [_launch(Settings()), _launch(Settings(engine=EngineSettings(cache_bytes=0)))]
    assert [(launch.cache_folder, launch.cache_bytes) for launch in launches] == [
        (str(kv_cache_folder()), 4 * 1024**3),
        ("", 0),
    ]


def _launch(settings: Settings) -> EngineLaunch:
    engine = open_engine(settings)
    assert isinstance(engine, LocalEngine)
    return engine._launch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return _cache_below(tmp_path, monkeypatch)


def _cache_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("XDG_CACHE_HOME", "HOME"):  # Linux goes by the one, macOS by the other
        monkeypatch.setenv(variable, str(folder))
    assert kv_cache_folder().is_relative_to(folder), "or the test would purge somebody's own files"
    return kv_cache_folder()


@posix_only
def test_purge_says_what_it_removed(cache: Path) -> None:
    store = store_at(cache)
    for name in chain(store, 2):
        assert keep(store, name, bytes(100_000))
    output = CliRunner().invoke(app, ["purge"])
    assert output.exit_code == 0
    assert "2 KV cache files" in output.stdout
    assert "0.2 MB" in output.stdout
    again = CliRunner().invoke(app, ["purge"])
    assert (again.exit_code, "There are no KV cache files" in again.stdout) == (0, True)


@posix_only
def test_purge_for_machines(cache: Path) -> None:
    store = store_at(cache)
    assert keep(store, chain(store, 1)[0], b"state")
    expected = [{"files": 1, "bytes": 5 + FOOTER_BYTES, "folder": str(cache)}, {"files": 0, "bytes": 0}]
    outputs = [json.loads(CliRunner().invoke(app, ["purge", "--json"]).stdout) for _ in range(2)]
    assert outputs == [expected[0], {**expected[1], "folder": str(cache)}]


@posix_only
def test_purge_of_what_cannot_be_removed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = _cache_below(Path(temporary), monkeypatch)
        store = store_at(folder)
        assert keep(store, chain(store, 1)[0], b"state")
        Path(temporary).chmod(0o755)
        with _bound_by_permissions(folder):
            folder.chmod(0o500)
            result = CliRunner().invoke(app, ["purge"])
            folder.chmod(0o700)
        assert isinstance(result.exception, EngineFailed)
        assert str(result.exception) == f"1 KV cache files in {folder} could not be deleted; 0 were."


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
