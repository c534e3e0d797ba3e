"""One page that shows a prompt: where its budget went, every segment with its text, and how long requests took.

Self-contained and without scripts, so that it opens from disk, in an editor's panel and under a strict policy;
a tile is the label of a radio button, and the checked one shows its segment. Every text is escaped: markup,
and characters that reorder a line.
"""

import html
from collections.abc import Iterator, Sequence

from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.treemap import Box, tiles
from spark_lsp.text.printable import printable
from spark_lsp.trace import TraceRecord

MAP = Box(0, 0, 1000, 420)  # in units of the map; its real size follows the window
LABELLED_WIDTH, LABELLED_HEIGHT = 90, 16  # a smaller tile has no room for its name
REQUESTS_SHOWN = 30
STAGE_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d", "#e45756", "#72b7b2", "#eeca3b")


def as_html(packed: Packed, title: str, requests: Sequence[TraceRecord] = ()) -> str:
    """Return the page. ``requests`` are finished ones, oldest first; the last of them are shown with their stages."""
    segments = [segment for segment in packed.segments if segment.tokens or segment.text]
    radios = "".join(
        f'<input type=radio name=piece id=p{number} class=pick aria-label="{_escape(_name(segment))}"'
        f"{' checked' if number == _first_shown(segments) else ''}>"
        for number, segment in enumerate(segments)
    )
    chosen = "".join(
        f"#p{n}:checked~main #d{n}{{display:block}}"
        f"#p{n}:checked~main [for=p{n}]{{outline:2px solid var(--ink);z-index:2}}"
        for n in range(len(segments))
    )
    return (
        '<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{_escape(title)}</title><style>{_STYLE}{chosen}</style></head><body>{radios}<main>"
        f"<h1>{_escape(title)}</h1>{_summary(packed)}{_map(segments)}{_legend()}"
        f"<section class=code aria-live=polite>{''.join(_detail(n, part) for n, part in enumerate(segments))}</section>"
        f"{_table(segments)}{_requests(requests)}"
        "<details><summary>The whole prompt, as the model reads it</summary>"
        f"<pre>{_escape(packed.text)}</pre></details>"
        "</main></body></html>"
    )


def _first_shown(segments: Sequence[Segment]) -> int:
    """Choose the segment that is open at first: the likeliest snippet, else the text before the cursor."""
    volatile = [number for number, segment in enumerate(segments) if segment.kind == "definition"]
    prefix = [number for number, segment in enumerate(segments) if segment.kind == "prefix"]
    return (volatile or prefix or [0])[-1]


def _name(segment: Segment) -> str:
    return f"{segment.path}:{segment.start_line}" if segment.start_line else segment.path or "frame"


def _class(segment: Segment) -> str:
    local = segment.kind in {"prefix", "suffix", "header"}
    where = "local" if local else "stable" if segment.stable else "volatile"
    return where if segment.cached or local else f"{where} new"


def _summary(packed: Packed) -> str:
    by_class: dict[str, int] = {}
    for segment in packed.segments:
        by_class[_class(segment)] = by_class.get(_class(segment), 0) + segment.tokens
    free = max(0, packed.budget_tokens - packed.tokens)
    whole = max(1, packed.tokens + free)
    parts = "".join(
        f'<i class="{name}" style="width:{tokens / whole:.2%}" title="{name}: {tokens:,} tokens"></i>'
        for name, tokens in by_class.items()
    )
    return (
        f"<p>{packed.tokens:,} of {packed.budget_tokens:,} tokens; "
        f"gathered in {packed.gather_ms:.1f} ms, packed in {packed.pack_ms:.1f} ms.</p>"
        f'<div class=budget>{parts}<i class=free style="width:{free / whole:.2%}" title="free: {free:,} tokens"></i>'
        "</div>"
    )


def _legend() -> str:
    marks = (
        ("stable", "stable, prefilled"),
        ("stable new", "stable, not prefilled yet"),
        ("volatile new", "volatile: chosen for this cursor"),
        ("local", "the file that is being edited"),
    )
    return "<p class=legend>" + "".join(f'<b class="{name}"></b>{text}' for name, text in marks) + "</p>"


def _map(segments: Sequence[Segment]) -> str:
    """Draw a box for each file and in it a tile for each of its segments, by tokens."""
    files: dict[str, list[int]] = {}
    for number, segment in enumerate(segments):
        if segment.tokens:
            files.setdefault(segment.path or "frame", []).append(number)
    sums = [float(sum(segments[number].tokens for number in numbers)) for numbers in files.values()]
    drawn = []
    for numbers, box in zip(files.values(), tiles(sums, MAP), strict=True):
        inner = tiles([float(segments[number].tokens) for number in numbers], box)
        drawn += [_tile(number, segments[number], tile) for number, tile in zip(numbers, inner, strict=True)]
    return f'<div class=map role=group aria-label="Tokens by file">{"".join(drawn)}</div>'


def _tile(number: int, segment: Segment, box: Box) -> str:
    fits = box.width >= LABELLED_WIDTH and box.height >= LABELLED_HEIGHT
    name = _escape(segment.path.rpartition("/")[2] or segment.kind) if fits else ""
    title = _escape(f"{_name(segment)}: {segment.tokens:,} tokens, {segment.reason}")
    style = (
        f"left:{box.left / MAP.width:.3%};top:{box.top / MAP.height:.3%};"
        f"width:{box.width / MAP.width:.3%};height:{box.height / MAP.height:.3%}"
    )
    return f'<label for=p{number} class="{_class(segment)}" style="{style}" title="{title}">{name}</label>'


def _facts(segment: Segment) -> Iterator[str]:
    yield f"{segment.tokens:,} tokens"
    yield segment.kind
    yield "stable" if segment.stable else "volatile"
    yield "cached" if segment.cached else "new"
    if segment.score:
        yield f"score {segment.score:.2f}"
    yield segment.reason


def _detail(number: int, segment: Segment) -> str:
    place = f":{segment.start_line}-{segment.end_line}" if segment.start_line else ""
    return (
        f"<article id=d{number}><h2>{_escape(segment.path or segment.kind)}{place}</h2>"
        f"<p>{_escape(' · '.join(_facts(segment)))}</p><pre>{_escape(segment.text)}</pre></article>"
    )


def _table(segments: Sequence[Segment]) -> str:
    rows = "".join(
        f"<tr><td><label for=p{number}>{_escape(segment.path or segment.kind)}</label>"
        f"<td class=l>{f'{segment.start_line}-{segment.end_line}' if segment.start_line else ''}"
        f"<td class=n>{segment.tokens:,}<td>{segment.kind}<td>{'stable' if segment.stable else 'volatile'}"
        f"<td>{'cached' if segment.cached else 'new'}<td class=n>{f'{segment.score:.2f}' if segment.score else ''}"
        f"<td>{_escape(segment.reason)}"
        for number, segment in enumerate(segments)
    )
    head = "".join(f"<th>{name}" for name in ("file", "lines", "tokens", "kind", "place", "state", "score", "why"))
    return (
        f"<details open><summary>Segments in the order of the prompt</summary>"
        f"<table><thead><tr>{head}<tbody>{rows}</table></details>"
    )


def _requests(requests: Sequence[TraceRecord]) -> str:
    """Draw the stages of the last requests as bars, the newest first."""
    shown = [record for record in requests[-REQUESTS_SHOWN:] if record.total_ms > 0][::-1]
    if not shown:
        return ""
    names = dict.fromkeys(stage for record in shown for stage in record.stages_ms)
    colours = {name: STAGE_COLOURS[number % len(STAGE_COLOURS)] for number, name in enumerate(names)}
    longest = max(max(record.total_ms, sum(record.stages_ms.values())) for record in shown)
    key = "".join(f'<b style="background:{colour}"></b>{_escape(name)}' for name, colour in colours.items())
    rows = "".join(_request(record, colours, longest) for record in shown)
    return (
        f"<section><h2>Latency of recent requests</h2><p class=legend>{key}</p>"
        f"<table class=stages><thead><tr><th>request<th>reason<th>ms<th>stages<tbody>{rows}</table></section>"
    )


def _request(record: TraceRecord, colours: dict[str, str], longest: float) -> str:
    bars = "".join(
        f'<i style="width:{spent / longest:.2%};background:{colours[stage]}" '
        f'title="{_escape(stage)}: {spent:.1f} ms"></i>'
        for stage, spent in record.stages_ms.items()
    )
    return (
        f"<tr><td>{_escape(record.name)}<td>{_escape(record.reason)}<td class=n>{record.total_ms:.1f}"
        f"<td><div class=budget>{bars}</div>"
    )


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d0d7de;--stable:#a6d8a8;--volatile:#ffd08a;
--local:#b9cdf5}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--line:#30363d;--stable:#2f6b3a;
--volatile:#8a5a12;--local:#2f4a80}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem}h1{font-size:1.3rem;margin:0}
h2{font-size:1rem;margin:1rem 0 .3rem}.pick{position:absolute;opacity:0;pointer-events:none}p{margin:.4rem 0}
.map label{position:absolute;overflow:hidden;padding:1px 4px;border:1px solid var(--paper);font-size:11px;
cursor:pointer;white-space:nowrap;text-overflow:ellipsis}
.map{position:relative;width:100%;aspect-ratio:1000/420;border:1px solid var(--line)}
.budget{display:flex;height:.8rem;margin:.4rem 0;overflow:hidden}.budget i{display:block;height:100%}
.stages .budget{margin:.3rem 0;min-width:20rem}.stable{background-color:var(--stable)}
.volatile{background-color:var(--volatile)}.local{background-color:var(--local)}.free{background:var(--line)}
.new{background-image:repeating-linear-gradient(45deg,transparent 0 6px,rgb(127 127 127/.25) 6px 8px)}
.legend b{display:inline-block;width:.9rem;height:.9rem;margin:0 .3rem 0 1rem;vertical-align:-.1rem}
.legend b:first-child{margin-left:0}article{display:none}
pre{overflow:auto;max-height:30rem;padding:.6rem;border:1px solid var(--line);font:12px/1.45 ui-monospace,monospace}
table{border-collapse:collapse;width:100%}
td,th{padding:.15rem .5rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
td label{cursor:pointer;text-decoration:underline}.l{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums}
summary{cursor:pointer;margin-top:1rem;font-weight:600}
""".replace("\n", "")


def _escape(text: str) -> str:
    """Return a text as it stands on the page, without markup and without controls of its own."""
    return html.escape(printable(text))
