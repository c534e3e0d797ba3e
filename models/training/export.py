"""Writes a checkpoint as GGUF and compares it with llama.cpp, token by token.

usage: python -m models.training.export --from models/training/out/nano/train --to spark.gguf --check
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from models.training import checkpoint
from models.training.corpus_file import HELD_OUT, read_corpus
from models.training.gguf_file import Card, read_model, write_model
from models.training.model import SparkModel
from models.training.samples import Sampler
from models.training.tokenizer import TOKENIZER, Vocabulary
from models.training.weights import load_weights

PROMPTS, TOKENS = 20, 200
TIE = 0.25
"""Logits: llama.cpp rounds what goes into a Q8_0 product to 8 bits, which moves a logit by up to about a tenth."""


def disagreements(path: Path, prompts: Sequence[Sequence[int]], tokens: int, tie: float = TIE) -> list[str]:
    """Return where llama.cpp's greedy choice is not PyTorch's on the same weights, ties left out.

    Both read llama.cpp's own text, so that one early tie does not spoil the rest.
    """
    from models.training.llama import greedy, opened  # noqa: PLC0415 - llama.cpp is not there on every machine

    shape, arrays = read_model(path)
    model = SparkModel(shape)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    model.eval()
    faults = []
    with opened(path) as llama, torch.no_grad():
        for number, prompt in enumerate(prompts):
            chosen = [token for token, _ in greedy(llama, prompt, tokens)]
            logits = model(torch.tensor([[*prompt, *chosen[:-1]]]))[0, len(prompt) - 1 :]
            gaps = logits.max(dim=-1).values - logits.gather(1, torch.tensor(chosen)[:, None])[:, 0]
            faults += [
                f"prompt {number}, token {place}: {gap:.2f} below the best"
                for place, gap in enumerate(gaps.tolist())
                if gap > tie
            ]
    return faults


def check_prompts(vocabulary: Vocabulary, held_out: Path, count: int = PROMPTS) -> list[list[int]]:
    """Return prompts of held-out samples."""
    sampler = Sampler(read_corpus(held_out), vocabulary, longest=1024)
    samples = (sampler.sample(7, number, 0.5) for number in range(count))
    return [sample.ids[: sample.prompt_tokens] for sample in samples]


def main(arguments: Sequence[str] | None = None) -> int:
    """Export, and check where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="start", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--storage", choices=("q8_0", "f16", "f32"), default="q8_0")
    parser.add_argument("--name", default="spark-nano")
    parser.add_argument("--context-tokens", type=int, default=8192, help="the longest that was trained and measured")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--held-out", type=Path, default=HELD_OUT)
    parser.add_argument("--check", action="store_true", help=f"compare {TOKENS} greedy tokens on {PROMPTS} prompts")
    options = parser.parse_args(arguments)
    vocabulary = Vocabulary(options.tokenizer)
    shape, weights = load_weights(options.start)
    tokens = 0
    if options.start.suffix != ".gguf":
        tokens = checkpoint.load(options.start.parent, options.start.name)["progress"]["tokens"]
    card = Card(name=options.name, context_tokens=options.context_tokens, training_tokens=tokens)
    arrays = {name: tensor.float().numpy() for name, tensor in weights.items()}
    write_model(options.to, shape, arrays, vocabulary, card, options.storage)
    print(f"{options.to.name}: {options.to.stat().st_size / 1e6:.1f} MB, {tokens / 1e6:.1f} M tokens learnt from")
    if not options.check:
        return 0
    faults = disagreements(options.to, check_prompts(vocabulary, options.held_out), TOKENS)
    print(f"llama.cpp disagrees at {len(faults)} of {PROMPTS * TOKENS} tokens")
    print("\n".join(faults[:10]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
