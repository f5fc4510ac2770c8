"""The text of the user's file: read, mended where it was written for Python 2, and asked for its names."""

from __future__ import annotations

import ast
import io
import itertools
import re
import symtable
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Token = tokenize.TokenInfo
NAMED_SO = re.compile(r"norm|bn", re.IGNORECASE)
HEAD = re.compile(r"\s*(?:async\s+)?(?:def|class)\b")
START = re.compile(r"(?!else\b|elif\b|except\b|finally\b)[^\s#)\]}]")
CONFLICT = re.compile(r"<{7}|={7}|>{7}")
SKIPPED = {tokenize.NL, tokenize.COMMENT}
OPENING, CLOSING = set("([{"), set(")]}")


class Source(NamedTuple):
    """A file that parses."""

    path: str
    text: str
    tree: ast.Module
    mended: str = ""
    """Why it did not parse as it stood: Python 2, or the magics of a notebook."""

    @property
    def name(self) -> str:
        """The file's name alone."""
        return Path(self.path).name


def read(path: Path) -> Source:
    """The file, line for line where it had to be mended; SyntaxError where that did not help."""
    text = _text(path)
    try:
        return Source(str(path), text, ast.parse(text, str(path)))
    except (SyntaxError, ValueError) as error:
        mended = mend(text)
        try:
            return Source(str(path), mended, ast.parse(mended, str(path)), _complaint(error))
        except (SyntaxError, ValueError):
            kept = _salvaged(mended)
            if not kept:
                raise error from None
            return Source(str(path), kept, ast.parse(kept, str(path)), _complaint(error))


def _salvaged(text: str) -> str:
    """The parts between one unindented line and the next that parse; nothing where the layer may be in another."""
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if START.match(line) and not (parts[-1] and parts[-1][-1].startswith("@")):
            parts.append([])
        parts[-1].append(line)
    kept: list[str] = []
    for part in parts:
        parses = _parses("\n".join(part))
        if not parses and not _is_spare(part):
            return ""
        kept += part if parses else [""] * len(part)
    return "\n".join(kept) if any(HEAD.match(line) for line in kept) else ""


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _is_spare(part: list[str]) -> bool:
    """Whether it is one definition that is named unlike the layer, or a statement with none in it."""
    heads = [line for line in part if HEAD.match(line)]
    whole = not heads or bool(HEAD.match(part[0])) or part[0].startswith("@")
    return whole and not any(NAMED_SO.search(line) for line in heads) and not any(map(CONFLICT.match, part))


def _complaint(error: Exception) -> str:
    return f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        text = raw.decode("latin-1")  # what Python 2 files without a declaration mostly are
    return text.replace("\r\n", "\n").replace("\r", "\n")


# ---- what Python 2 wrote otherwise ----


class Edit(NamedTuple):
    """What stands in one line from ``start`` to ``stop`` becomes ``text``."""

    row: int
    start: int
    stop: int
    text: str


def mend(text: str) -> str:
    """The same lines in today's Python, as far as tokens tell: print, except, raise, <>, 10L, tabs, magics."""
    lines = [re.sub(r"^\s*[%!].*", "", line) for line in text.split("\n")]
    lines = [_untabbed(line) for line in lines]
    plain = "\n".join(lines)
    edits: list[Edit] = []
    try:
        for statement in _statements(plain):
            edits += _edits(statement)
    except (tokenize.TokenError, SyntaxError):
        return plain
    for edit in sorted(edits, key=lambda edit: edit[:3], reverse=True):
        line = lines[edit.row - 1]
        lines[edit.row - 1] = line[: edit.start] + edit.text + line[edit.stop :]
    return "\n".join(lines)


def _untabbed(line: str) -> str:
    """Python 2 took a tab for as many blanks as lead to the next eighth column."""
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].expandtabs(8) + body


def _statements(text: str) -> Iterator[list[Token]]:
    """The tokens of each simple statement, and of each head of a compound one up to its colon."""
    held: list[Token] = []
    depth, awaits = 0, False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in SKIPPED or token.type in (tokenize.INDENT, tokenize.DEDENT):
            continue
        depth += (token.string in OPENING) - (token.string in CLOSING)
        awaits = awaits or token.string == "lambda"
        ends = token.type in (tokenize.NEWLINE, tokenize.ENDMARKER)
        if ends or (not depth and (token.string == ";" or (token.string == ":" and not awaits))):
            if held:
                yield held
            held, awaits = [], False
        else:
            held.append(token)
            awaits = awaits and token.string != ":"


def _edits(tokens: list[Token]) -> Iterator[Edit]:
    first, last = tokens[0], tokens[-1]
    commas = [token for token in _outer(tokens) if token.string == ","]
    if first.string == "print":
        yield from _print(tokens, commas)
    elif first.string == "except" and commas:
        yield _replaced(commas[0], " as")
    elif first.string == "raise" and commas:
        yield Edit(commas[0].start[0], commas[0].start[1], _next(tokens, commas[0]), "(")
        yield Edit(last.end[0], last.end[1], last.end[1], ")")
    for before, token in itertools.pairwise(tokens):
        if token.string == "<>":
            yield _replaced(token, "!=")
        elif before.string == "<" and token.string == ">" and before.end == token.start:
            yield Edit(token.start[0], before.start[1], token.end[1], "!=")
        elif token.string in ("L", "l") and before.type == tokenize.NUMBER and before.end == token.start:
            yield _replaced(token, "")


def _print(tokens: list[Token], commas: list[Token]) -> Iterator[Edit]:
    first, last = tokens[0], tokens[-1]
    if len(tokens) == 1:
        yield Edit(first.end[0], first.end[1], first.end[1], "()")
        return
    if tokens[1].string in ("=", ".") or (tokens[1].string == "(" and _closes_at_end(tokens[1:])):
        return
    opening = Edit(first.end[0], first.end[1], max(first.end[1], tokens[1].start[1]), "(")
    closing = ")"
    if tokens[1].string == ">>":
        if not commas or tokens[1].start[0] != commas[0].end[0]:
            return
        line, start, stop = first.line.split("\n")[0], tokens[2].start[1], commas[0].start[1]
        opening = Edit(first.end[0], first.end[1], _next(tokens, commas[0]), "(")
        closing = f", file={line[start:stop]})"
    yield opening
    trailing = bool(commas) and commas[-1] is last
    yield Edit(last.end[0], last.end[1], last.end[1], f" end=' '{closing}" if trailing else closing)


def _next(tokens: list[Token], comma: Token) -> int:
    """The column where what follows begins, if it does so in the same line."""
    after = next((token for token in tokens if token.start >= comma.end), comma)
    return after.start[1] if after is not comma and after.start[0] == comma.end[0] else comma.end[1]


def _closes_at_end(tokens: list[Token]) -> bool:
    depth = 0
    for number, token in enumerate(tokens):
        depth += (token.string in OPENING) - (token.string in CLOSING)
        if not depth:
            return number == len(tokens) - 1
    return False


def _outer(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += (token.string in OPENING) - (token.string in CLOSING)
        if not depth:
            yield token


def _replaced(token: Token, text: str) -> Edit:
    return Edit(token.start[0], token.start[1], token.end[1], text)


# ---- names ----

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those within its branches included."""
    for node in body:
        yield node
        if not isinstance(node, Definition):
            for field in ("body", "orelse", "finalbody"):
                yield from statements(getattr(node, field, []))
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)


def definitions(tree: ast.Module) -> list[str]:
    """The names of the functions and classes, in the order of the file."""
    return list(dict.fromkeys(node.name for node in statements(tree.body) if isinstance(node, Definition)))


def free_names(source: Source) -> set[str]:
    """The names that functions and classes of the file look up in the module."""
    found = {name for node in statements(source.tree.body) if isinstance(node, Definition) for name in outside(node)}
    try:
        tables = symtable.symtable(source.text, "<names>", "exec").get_children()
    except SyntaxError:  # what parses need not compile: a return outside a function
        return found
    while tables:
        table = tables.pop()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        tables += table.get_children()
    return found


def outside(node: Definition) -> set[str]:
    """The names that are needed to carry out a definition: decorators, bases, defaults."""
    parts: list[ast.expr | None] = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *(keyword.value for keyword in node.keywords)]
    else:
        parts += [*node.args.defaults, *node.args.kw_defaults]
    return {name for part in parts if part is not None for name in loads(part)}


def loads(node: ast.AST) -> set[str]:
    """Every name that is read within."""
    return {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Load)}
