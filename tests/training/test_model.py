"""The model learns, packs without leaks, survives being stopped, and is the same in its file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.training import checkpoint  # noqa: E402
from models.training.batch_stream import on_device  # noqa: E402
from models.training.batches import batch_of  # noqa: E402
from models.training.corpus_file import write_corpus  # noqa: E402
from models.training.model import SparkModel, attention, document_mask, token_losses  # noqa: E402
from models.training.samples import Sample, Sampler  # noqa: E402
from models.training.shape import SHAPES, ModelShape  # noqa: E402
from models.training.train import STEADY, main, rate_at  # noqa: E402
from models.training.weights import load_weights  # noqa: E402
from tests.training.support import ByteEncoder, small_corpus  # noqa: E402

TINY = SHAPES["tiny"]
CPU = torch.device("cpu")


@pytest.fixture
def model() -> SparkModel:
    torch.manual_seed(0)
    spark_model = SparkModel(TINY)
    with torch.no_grad():
        for weight in spark_model.parameters():  # a fresh model's layers add nothing, which would hide leaks
            weight.add_(torch.randn_like(weight) * 0.05)
    return spark_model.eval()


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_samples(lengths: list[int]) -> list[Sample]:
    generator = np.random.default_rng(1)
    return [Sample(generator.integers(0, TINY.vocabulary, length).tolist(), 2) for length in lengths]


def test_the_count_of_parameters_is_right() -> None:
    for shape in SHAPES.values():
        with torch.device("meta"):
            assert sum(weight.numel() for weight in SparkModel(shape).parameters()) == shape.parameters
        assert shape.bytes_q8 < 25_000_000


def test_packed_rows_are_what_single_rows_are(model: SparkModel) -> None:
    samples = random_samples([40, 25, 33])
    with torch.no_grad():
        ids, targets, _, documents = on_device(batch_of([samples], 128), CPU)
        packed = token_losses(model, ids, targets, documents)[0]
        place = 0
        for sample in samples:
            ids, targets, _, _ = on_device(batch_of([[sample]], len(sample.ids) - 1), CPU)
            alone = token_losses(model, ids, targets)[0]
            # RoPE is relative: where a sample stands in a row makes no difference
            torch.testing.assert_close(packed[place : place + len(alone)], alone, atol=1e-3, rtol=1e-3)
            place += len(alone)


def test_the_block_mask_is_the_mask() -> None:
    documents = torch.tensor([[0] * 100 + [1] * 200 + [2] * 84 + [-1] * 128, [0] * 512])
    parts = [torch.randn(2, heads, 512, 32) for heads in (4, 2, 2)]
    plain = attention(*parts, document_mask(documents, in_blocks=False))
    with pytest.warns(UserWarning, match="flex_attention called without torch.compile"):
        blocked = attention(*parts, document_mask(documents, in_blocks=True))
    torch.testing.assert_close(plain, blocked, atol=1e-4, rtol=1e-4)


def test_no_token_sees_what_comes_later(model: SparkModel) -> None:
    ids = torch.randint(0, TINY.vocabulary, (1, 30))
    changed = ids.clone()
    changed[0, 20] += 1
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[0, :20], model(changed)[0, :20])


def test_the_rate_rises_stays_and_falls() -> None:
    assert rate_at(0, 0.0, 0.2) < 0.02
    assert rate_at(500, 0.5, 0.2) == 1.0
    assert 0.4 < rate_at(500, 0.9, 0.2) < 0.6
    assert rate_at(500, 1.0, 0.2) > 0
    assert rate_at(500, 1.0, 0.0) == 1.0


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, "a", {"step": 1})
    (tmp_path / "a").rename(tmp_path / "a.old")
    checkpoint.write_pieces(tmp_path, "b", b"x" * (checkpoint.PIECE_BYTES + 5))
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["piece-00.bin", "piece-01.bin", "pieces.txt"]
    (tmp_path / "b").rename(tmp_path / "a")
    assert len(checkpoint.read_pieces(tmp_path, "a")) == checkpoint.PIECE_BYTES + 5
    (tmp_path / "a" / "piece-01.bin").write_bytes(b"damaged")
    assert checkpoint.load(tmp_path, "a") == {"step": 1}
    (tmp_path / "a.old" / "piece-00.bin").unlink()
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.load(tmp_path, "a")


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers")
    files = small_corpus()
    write_corpus(tmp_path / "corpus.jsonl.xz", [file for file in files if file.package == "alpha"])
    write_corpus(tmp_path / "held-out.jsonl.xz", [file for file in files if file.package == "beta"])
    command = [
        *("--shape", "tiny", "--minutes", "0.03", "--batch-tokens", "512", "--longest", "128", "--device", "cpu"),
        *("--corpus", str(tmp_path / "corpus.jsonl.xz"), "--held-out", str(tmp_path / "held-out.jsonl.xz")),
        *("--out", str(tmp_path / "out"), "--threads", "1"),
    ]
    assert main(command) == 0
    first = checkpoint.load(tmp_path / "out", STEADY)["progress"]
    assert main([*command, "--decay", "0.5", "--deliver", str(tmp_path / "halves")]) == 0
    second = checkpoint.load(tmp_path / "out", "decayed")["progress"]
    assert second["steps"] > first["steps"] > 0
    assert second["next_pool"] >= first["next_pool"]
    assert "going on after" in capsys.readouterr().out
    shape, halves = load_weights(tmp_path / "halves" / "weights")
    assert shape.width == TINY.width
    assert halves["embedding.weight"].dtype == torch.float32


def test_the_file_gives_back_the_weights(tmp_path: Path, model: SparkModel) -> None:
    pytest.importorskip("tokenizers")
    from models.training.gguf_file import Card, write_model  # noqa: PLC0415
    from models.training.tokenizer import TOKENIZER, Vocabulary  # noqa: PLC0415

    path = tmp_path / "tiny.gguf"
    arrays = {name: weight.detach().numpy() for name, weight in model.state_dict().items()}
    write_model(path, TINY, arrays, Vocabulary(TOKENIZER), Card("tiny"), "f32")
    shape, weights = load_weights(path)
    assert shape == ModelShape(**{name: getattr(TINY, name) for name in TINY.__slots__})
    for name, array in arrays.items():
        np.testing.assert_array_equal(weights[name].numpy(), array)


def test_samples_teach(model: SparkModel) -> None:
    sampler = Sampler(small_corpus(), ByteEncoder(), longest=256)
    batch = batch_of([[sampler.sample(1, number, 0.0)] for number in range(4)], 1024)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        ids, targets, weights, _ = on_device(batch, CPU)
        loss = (token_losses(model, ids, targets) * weights).sum() / weights.sum()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
