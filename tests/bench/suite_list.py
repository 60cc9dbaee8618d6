"""Writes the published list of a suite from its rendered bundles, once, when a suite is made.

    dreamactor synth --suite v1 --split test --out bundles --workers 2
    python tests/bench/suite_list.py bundles --suite v1
    dreamactor synth --suite v1 --split test --out bundles --verify      # reads every array

A suite whose list is committed never changes: with another generator it is another suite.
"""

import argparse
from pathlib import Path


def main() -> None:
    from stages.bundle import open_bundle
    from stages.synthetic import suite as suites
    from stages.synthetic.manifest import bundle_sha256

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path)
    parser.add_argument("--suite", default="v1")
    arguments = parser.parse_args()
    suite = suites.suite_named(arguments.suite)
    sums = {name: bundle_sha256(open_bundle(arguments.bundles / name)) for name in suite.bundles()}
    path = Path(suites.__file__).parent / "suites" / f"{suite.name}.tsv"
    path.write_text(suites.list_text(suite, sums, suites.processor()), encoding="utf-8")
    print(f"{path}: {len(sums)} bundles, {suites.total_sha256(suite, sums)}")


if __name__ == "__main__":
    main()
