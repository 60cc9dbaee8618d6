"""What bench_real_pairs.py says without the assets, and that its protocol is one."""

import csv
from pathlib import Path

from stages.metrics.protocol import load_protocol
from tests.bench import bench_real_pairs


def test_without_the_assets_it_says_what_is_missing_and_makes_nothing(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["bench", "--assets", str(tmp_path), "--out", str(out), "--pairs", "studio-grin"])
    bench_real_pairs.main()
    assert capsys.readouterr().out.startswith(f"skipped: {tmp_path}/portraits/man_studio.png is not there")
    assert not out.exists()


def test_its_protocol_asks_who_it_is_and_whether_the_driver_is_obeyed():
    protocol = load_protocol(str(Path(bench_real_pairs.__file__).with_name("real_pairs.toml")))
    names = [metric.name for metric in protocol.metrics]
    assert names == ["identity", "joints", "joints_missing", "head", "expression", "mouth", "lids"]
    head = next(metric for metric in protocol.metrics if metric.name == "head")
    assert head.options.centre == "median" and "median-of-clip" in head.signature


def test_pairs_are_written_as_score_reads_them(tmp_path):
    bench_real_pairs.pair_list(tmp_path / "pairs.csv", [["a", "a.mp4", "photo.png", "driver/a.npy"]])
    with open(tmp_path / "pairs.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {"name": "a", "generated": "a.mp4", "reference": "photo.png", "driving": "driver/a.npy"}
