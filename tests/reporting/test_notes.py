"""What training wrote into the run folder in English has its Russian form: the sentences come from the code itself."""

import ast
import dataclasses
import itertools
import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import polib
import pytest
from PIL import Image

import svertka
from svertka import Recipe
from svertka.api.compare import HOW
from svertka.common import Message, message, restored, storable
from svertka.data import open_source
from svertka.evaluation.repeats import Repeats
from svertka.kinds.image import formats
from svertka.kinds.image.defaults import Facts
from svertka.kinds.image.oddities import RULES
from svertka.pipeline.ladder import rungs
from svertka.reporting import summary, write_report
from svertka.reporting.i18n.translate import known, speaking
from svertka.training import class_balance
from svertka.training.defaults import from_scratch
from svertka.transfer import finetune, ladder

SOURCE = Path(svertka.__file__).parent
SETS = itertools.product((60, 1_797, 6_000, 50_000), (8, 28, 90, 300), (1.0, 1.5, 3.0), (True, False))
RECIPES = [
    Recipe(weights=weights, optimizer=optimizer).replace(flip_horizontal=flip)
    for weights, optimizer, flip in itertools.product(
        ("none", "imagenet"), (None, "sgd", "rmsprop", "adam", "adamw", "adadelta", "muon"), (None, False)
    )
]


def reasons():
    """Every sentence that the choosers give over data sets and recipes of all kinds."""
    found = set()
    for (training, side, aspect, color), recipe in itertools.product(SETS, RECIPES):
        facts = Facts(training, 2, side, aspect, color)
        sized, first = from_scratch.choose_size(recipe, facts)
        _, rest = from_scratch.choose_rest(sized, dataclasses.replace(facts, side=sized.size))
        found |= {*first.values(), *rest.values()}
    found |= {*from_scratch.widen(Recipe(net="medium"), {"net", "random_erasing"}, from_scratch.AMPLE)[1].values()}
    return found


def messages():
    """(place, id, English forms) of every message that the code spells out."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "message":
                forms = [n.value for n in node.args if isinstance(n, ast.Constant)]
                if len(forms) == len(node.args):
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", *forms


def rows():
    """The Russian row of every message, by its id."""
    catalogs = (SOURCE / "reporting").rglob("ru.po")
    return {row.msgctxt: row for path in catalogs for row in polib.pofile(str(path)) if row.msgctxt}


def test_every_message_has_its_russian_form_of_this_very_english():
    known_rows, found = rows(), list(messages())
    assert len(found) > 100
    for place, id, *forms in found:
        assert id in known_rows, f"{place}: {id}"
        row = known_rows[id]
        assert [row.msgid, *([row.msgid_plural] if row.msgid_plural else [])] == forms, f"{place}: {id}"


def test_no_message_is_translated_that_is_not_said():
    ids = {id for _, id, *_ in messages()}
    made = ("odd.", "balance.", "compared.", "repeated.", "part.", "unreadable", "copies", "near-copies")
    assert not [id for id in rows() if id not in ids and not id.startswith(made)]


def test_the_ids_that_the_page_looks_for_are_those_of_messages():
    assert {*summary.SERIOUS, *summary.ELSEWHERE} <= rows().keys()


def in_russian(sentence):
    assert isinstance(sentence, Message), sentence
    with speaking("ru"):
        answer = known(sentence)
    assert answer != sentence
    return answer


def test_every_reason_of_a_choice_has_its_russian_form():
    found = reasons()
    assert len(found) > 50
    for sentence in found:
        in_russian(sentence)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_kind_of_odd_picture_has_its_russian_form(rule):
    row, some = rows()[f"odd.{rule.name}-one"], rows()[f"odd.{rule.name}"]
    assert (rule.one in row.msgid, rule.several in some.msgid) == (True, True)
    detail = message("odd.shape", "{width} x {height} pixels", width="500", height="146")
    answer = in_russian(message(row.msgctxt, row.msgid, path="a/b.png", detail=detail))
    many = in_russian(message(some.msgctxt, some.msgid, n=1200, path="a/b.png", detail=detail))
    assert answer.endswith("a/b.png (500 x 146 пикс.).")
    assert "1200" in many


def test_every_sentence_of_a_comparison_has_its_russian_form():
    for how, one in HOW.items():
        row = rows()[f"compared.{how}"]
        assert row.msgid.startswith(one)
    for kind, deviation in itertools.product(("seeds", "folds"), (None, 0.01)):
        sentence = Repeats(0.9, 0.88, 0.92, deviation, 0.85, 0.95, 3, 50).sentence(kind)
        assert sentence.startswith(f"3 {kind}: right in 90.00% of the cases on average")
        assert "в среднем верно 90,00 %" in in_russian(sentence)


def test_a_message_comes_back_from_json_as_it_was():
    inner = message("odd.shape", "{width} x {height} pixels", width="5", height="4")
    note = message("left-aside", "{n} file: {reason}", "{n} files: {reason}", n=1200, reason=inner)
    assert (note, note.id, note.values) == ("1,200 files: 5 x 4 pixels", "left-aside", {"n": 1200, "reason": inner})
    text = json.dumps(storable({"notes": [note, "plain"]}))
    (back, plain) = json.loads(text, object_hook=restored)["notes"]
    assert (back, back.id, back.values["reason"].id, plain) == (note, note.id, "odd.shape", "plain")
    assert pickle.loads(pickle.dumps(note)).values == note.values
    assert json.dumps([note]) == '["1,200 files: 5 x 4 pixels"]'
    with pytest.raises(TypeError, match="int64"):
        message("left-aside", "{n}", n=np.int64(3))


# -- everything that the data, the check and training say of a folder with all kinds of trouble ----------------------


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """Run folder of pictures with leaks, copies, a shortcut, odd and damaged files, few pictures and twin names."""
    folder = tmp_path_factory.mktemp("troubled")
    data, g = folder / "data", np.random.default_rng(0)
    for part, count in (("train", 40), ("val", 12)):
        for name in ("plain", "marked", "rare", "Rare"):
            (data / part / name).mkdir(parents=True)
            for k in range(count if "are" not in name else 3):
                coarse = Image.fromarray(g.integers(40, 216, (6, 8, 3), dtype=np.uint8))
                pixels = np.asarray(coarse.resize((48, 36), Image.Resampling.BICUBIC)).copy()
                if name == "marked":
                    pixels[:8] = (240, 30, 30)
                Image.fromarray(pixels).save(data / part / name / f"{k:03}.jpg", quality=92)
    plain = data / "train" / "plain"
    for k in range(3):
        shutil.copy(data / "val" / "plain" / f"{k:03}.jpg", plain / f"copy {k}.jpg")
        shutil.copy(plain / f"{k:03}.jpg", plain / f"again {k}.jpg")
    shutil.copy(data / "train" / "marked" / "001.jpg", plain / "wrong.jpg")
    (plain / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0abc")
    (plain / "page.jpg").write_text("<html>404</html>")
    (plain / "empty.png").write_bytes(b"")
    (data / "train" / "notes.txt").write_text("x")
    Image.new("RGB", (48, 36), (2, 2, 2)).save(data / "train" / "marked" / "dark.jpg")
    Image.new("RGB", (14, 10), (200, 90, 90)).save(data / "train" / "marked" / "small.jpg")
    net = "conv3-4 relu pool2 gap fc"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVERTKA_CACHE", str(folder / "cache"))
        return svertka.train(data, out=folder / "run", net=net, epochs=1, weights="none").path


def test_a_russian_report_of_a_troubled_folder_holds_no_english_sentence(troubled):
    metrics, check = (
        json.loads((troubled / name).read_text(encoding="utf-8"), object_hook=restored)
        for name in ("metrics.json", "check.json")
    )
    sentences = [
        *metrics["notes"],
        *check["warnings"],
        *(u["reason"] for key in ("unreadable", "skipped") for u in metrics[key]),
    ]
    assert len(set(sentences)) >= 12
    with speaking("ru"):
        assert [s for s in dict.fromkeys(sentences) if known(s) == s] == []
    page = write_report(troubled, troubled / "ru.html", "ru").read_text(encoding="utf-8")
    assert re.findall('<span lang="en">[^<]*', page) == []


def test_every_kind_of_file_that_is_no_picture_has_its_russian_form():
    kinds = {words for _, _, words in formats._OTHERS} | {formats.other_kind(b""), formats.other_kind(b"\0\1\2")}
    with speaking("ru"):
        sentences = [*kinds, *(f"no picture: {kind}" for kind in kinds)]
        assert [sentence for sentence in sentences if known(sentence) == sentence] == []


@pytest.mark.parametrize("module", ["sources/readers", "tables/parquet"])
def test_every_reason_why_bytes_cannot_be_had_has_its_russian_form(module):
    """As the code spells them: what stands in braces there is some word here."""
    source = (Path(svertka.__file__).parent / "data" / f"{module}.py").read_text(encoding="utf-8")
    reasons = [
        ast.unparse(call.args[1]).removeprefix("f")[1:-1]
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "ReadError"
        if isinstance(call.args[1], ast.Constant | ast.JoinedStr)
    ]
    assert len(reasons) > 3
    with speaking("ru"):
        assert [r for r in (re.sub(r"{.*?}", "this", r) for r in reasons) if known(r) == r] == []


def test_every_rung_of_the_ladder_has_its_russian_form():
    names = {*ladder.RUNGS.values(), *(f"{name}, varied views" for name in ladder.RUNGS.values()), *rungs.SHARES}
    _, reasons = finetune.gentle(Recipe(), 900)
    with speaking("ru"):
        assert [s for s in [*names - {"views"}, *reasons.values()] if known(s) == s] == []


@pytest.mark.parametrize("balanced", ["none", "weights", "sample"])
def test_what_balancing_says_has_its_russian_form(balanced):
    english = class_balance.sentence(np.array([0] * 90 + [1] * 3), ("cats", "dogs"), balanced)
    in_russian(english)


def test_what_listing_folders_says_has_its_russian_form(tmp_path):
    names = ["Training/a/1.png", "Training/b/1.png", "Training/c/1.png", "dev/a/1.png", "more/a/1.png", "more/b/1.png"]
    for name in (*names, "test1/1.png", "Training/b /1.png", "Training/c/x.psd", "Training/fox/1.psd"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"8BPS" if name.endswith("psd") else name.encode())
    source = open_source(tmp_path)
    assert len(source.notes) >= 6
    for name in ("2.png", "t/x.png", "t/y/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "t.csv").write_text("1.png,0,1,p\nx.png,1,0,q\n2.png,1,0,r\nt/x.png,1,0,q\nt/y/x.png,1,0,p\n")
    table = open_source(f"{tmp_path / 't.csv'}#path=1,label=4,class=[pr]")
    (tmp_path / "hot.csv").write_text("image,a,b\nc:\\2.png,1,0\nt/x.png,0,1\nt\\y\\x.png,0,1\n")
    hot = open_source(tmp_path / "hot.csv")
    with speaking("ru"):
        skipped = (*source.skipped, *table.skipped, *hot.skipped)
        sentences = [*source.notes, *table.notes, *hot.notes, *(one.reason for one in skipped)]
        assert [sentence for sentence in sentences if known(sentence) == sentence] == []
