"""The inside of a question's piece: where the question ends, the labels of its answer, its follow-ups."""

import re
from collections.abc import Sequence

from ingest import marks
from ingest.marks import Opening, bare
from ingest.sections import trimmed
from ingest.sentences import split_sentences

QUESTION_LIMIT = 400
"""Characters; a longer line is a question and the beginning of its answer."""
ASKED = re.compile(r"(?:\*\*|__)?\bQuestion\s*(?::\s*(?:\*\*|__)?|(?:\*\*|__)\s*:)\s*", re.IGNORECASE)
ANSWERED = re.compile(
    r"(?:\*\*|__)?\b(?:Model |Sample )?Answer\s*(?::\s*(?:\*\*|__)?|(?:\*\*|__)\s*:)\s*", re.IGNORECASE
)


def question_of(opening: Opening, body: list[str]) -> tuple[str, str, list[str], bool]:
    """(title, question, the lines of the answer, whether the guide labels its question)."""
    head, _, tail = opening.text.partition("\n")
    lines = [tail, *body] if tail else list(body)
    if opening.kind == "plan":
        return head, head, lines, False
    head, lines = _joined_head(head, lines)
    title, question = head, ""
    asked = ASKED.search(head)
    answered = ANSWERED.search(head, asked.end() if asked else 0)
    if asked and (asked.start() or not answered):
        title = bare(head[: asked.start()]) or bare(head[asked.end() :])
        question = head[asked.end() : answered.start() if answered else None]
    elif answered:
        title = head[: answered.start()]
    if answered:
        lines = ["Answer:", head[answered.end() :], *lines]
    if not asked and not answered:
        if opening.kind == "titled":
            question, lines, labelled = _labelled_question(lines)
            return bare(title), question or bare(title), lines, labelled
        title, rest = _cut(head)
        lines = [rest, *lines] if rest else lines
    question = _unquoted(question) or bare(title)
    if len(question) > QUESTION_LIMIT:
        question, rest = _cut(question)
        lines = [rest, *lines]
    return bare(title), question, lines, bool(asked)


def _joined_head(head: str, lines: list[str]) -> tuple[str, list[str]]:
    """A question that was broken over lines, as PDF files do, in one."""
    joined = head
    for taken, line in enumerate(lines[:4], 1):
        text = line.strip()
        special = (
            marks.BULLET.match(line) or marks.LABEL.match(text) or marks.ATX.match(line) or marks.FENCE.match(line)
        )
        if len(head) < 40 or not text or special or re.search(r"[.?!:”\"]$", joined):
            break
        joined += " " + text
        if "?" in text:
            return joined, lines[taken:]
    return head, lines


def _cut(head: str) -> tuple[str, str]:
    """A line that holds a question and its answer, in two."""
    found = re.search(r"\?[*_”\"’')\]]*\s+(?=\S)", head[: QUESTION_LIMIT * 2])
    if found and not head.rstrip("*_ ").endswith("?"):
        return bare(head[: found.end()]), head[found.end() :]
    if len(head) > (QUESTION_LIMIT if "?" in head[:QUESTION_LIMIT] else QUESTION_LIMIT // 2):
        sentences = split_sentences(head[: QUESTION_LIMIT * 20])
        first = sentences[0]
        if len(first) > QUESTION_LIMIT:
            first = first[:QUESTION_LIMIT].rsplit(" ", 1)[0]
        folded = " ".join(head.split())
        return bare(first), folded[len(first) :].strip()
    return bare(head), ""


def _labelled_question(lines: list[str]) -> tuple[str, list[str], bool]:
    """`Question: …` on a line of its own below the title."""
    filled = next((number for number, line in enumerate(lines) if line.strip()), None)
    if filled is None or not (found := ASKED.match(lines[filled].strip())):
        return "", lines, False
    text = lines[filled].strip()[found.end() :]
    end = filled + 1
    while end < len(lines) and lines[end].strip() and not marks.LABEL.match(lines[end].strip()):
        if ANSWERED.search(text):
            break
        text += " " + lines[end].strip()
        end += 1
    answered = ANSWERED.search(text)
    rest = ["Answer:", text[answered.end() :]] if answered else []
    question = _unquoted(text[: answered.start()] if answered else text)
    if len(question) > QUESTION_LIMIT:
        question, more = _cut(question)
        rest = [more, *rest]
    return question, [*rest, *lines[end:]], True


def _unquoted(text: str) -> str:
    text = bare(text)
    found = re.fullmatch(r"[“\"]([^“”]*)[”\"]", text)
    return found.group(1).strip() if found and '"' not in found.group(1) else text


def body_of(lines: Sequence[str], asked: bool) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The answer with its labels as headings, and the follow-ups with theirs."""
    code = marks.code_lines(lines)
    parts: list[tuple[str, list[str], list[bool]]] = [("", [], [])]
    for line, inside in zip(lines, code, strict=True):
        question = "" if inside else _follow_up(line)
        if question:
            parts.append((question, [], []))
        else:
            parts[-1][1].append(line)
            parts[-1][2].append(inside)
    answer = _labelled(parts[0][1], parts[0][2], asked)
    follow_ups = []
    for question, body, inside_of in parts[1:]:
        head, rest = _cut(question)
        text = _labelled([rest, *body] if rest else body, [False, *inside_of] if rest else inside_of, False)
        if text:
            follow_ups.append((head, text))
        else:
            answer += f"\n\n## Follow-up\n\n{head}"
    return answer.strip(), tuple(follow_ups)


def _follow_up(line: str) -> str:
    found = marks.FOLLOW_UP.match(line.strip())
    if found:
        return bare(found.group(1))
    heading = marks.ATX.match(line)
    text = bare(heading.group(2) or heading.group(3) or "") if heading else ""
    return text if text.endswith("?") else ""


def _labelled(lines: Sequence[str], code: Sequence[bool], asked: bool) -> str:
    result: list[str] = []
    for line, inside in zip(lines, code, strict=True):
        text = line.strip()
        known = None if inside else marks.LABEL.match(text)
        alone = None if inside else marks.BOLD_LABEL.match(text)
        if known and (known.group(1)[0].isupper()) and line[:1] not in {" ", "\t"}:
            name = "Answer" if known.group(1) in {"A", "a"} else known.group(1)
            if asked and name.casefold() == "answer":
                name = f"{name} to the Question"
            if known.group(1).casefold() == "difficulty":
                result.append(line)
            else:
                result += ["", f"## {name}", "", known.group(2)]
        elif alone and line[:1] not in {" ", "\t"}:
            result += ["", f"## {alone.group(1).strip()}", ""]
        else:
            result.append(line.rstrip() if not inside else line)
    if asked and not any("to the Question" in line for line in result):
        result = ["## Answer to the Question", "", *result]
    start, end = trimmed(result)
    return "\n".join(_without_gaps(result[start:end]))


def _without_gaps(lines: Sequence[str]) -> list[str]:
    """One blank line at a time, except in code."""
    code = marks.code_lines(lines)
    return [
        line
        for number, line in enumerate(lines)
        if line.strip() or code[number] or number == 0 or lines[number - 1].strip()
    ]
