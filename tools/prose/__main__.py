"""`python -m tools.prose` checks the prose of every file that git knows; exit code 1 if a word is found that is ruled out."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tools.prose.checking import Result, check
from tools.prose.word_list import WordList, load_word_list

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.prose", description=__doc__)
    parser.add_argument("paths", nargs="*", help="check only these files and folders")
    parser.add_argument("--table", action="store_true", help="print the count per 10,000 words for each folder instead")
    parser.add_argument("--root", type=Path, default=ROOT, help="the working tree to check (default: this one)")
    options = parser.parse_args()
    word_list = load_word_list(ROOT / "docs" / "glossary.md")
    result = check(options.root, tracked(options.root, options.paths), word_list)
    if options.table:
        print(table(result))
        return 0
    for findings in result.findings.values():
        for finding in sorted(findings, key=lambda finding: finding.line):
            print(finding)
    found = sum(map(len, result.findings.values()))
    unused = [] if options.paths else unused_exemptions(result, word_list)
    print(*unused, f"prose: {rate(found, sum(result.words.values()))}", sep="\n")
    return 1 if found or unused else 0


def tracked(root: Path, paths: list[str]) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "--", *paths]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [path for path in listed.splitlines() if (root / path).is_file()]


def unused_exemptions(result: Result, word_list: WordList) -> list[str]:
    return [
        f"words.toml: the exemption of '{e.word}' in {e.path} is not needed" for e in word_list.exemptions if e not in result.used
    ]


def rate(found: int, words: int) -> str:
    return f"{found} of {words:,} words are ruled out, {10_000 * found / max(words, 1):.1f} per 10,000"


def table(result: Result) -> str:
    """One line for each folder of the first level, and for functions/ one for each of the second."""
    found: dict[str, int] = defaultdict(int)
    words: dict[str, int] = defaultdict(int)
    for path, findings in result.findings.items():
        folder = path.partition("/")[0] if "/" in path else "(files at the top)"
        found[folder] += len(findings)
        words[folder] += result.words[path]
    lines = [f"{folder:<20} {rate(found[folder], words[folder])}" for folder in sorted(words)]
    return "\n".join([*lines, f"{'all':<20} {rate(sum(found.values()), sum(words.values()))}"])


if __name__ == "__main__":
    sys.exit(main())
