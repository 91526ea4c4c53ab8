from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hilum.analyses import _retrieval_labels as labels_of
from hilum.analyses._retrieval_inputs import MARKER, RetrievalStudy, read_sets
from hilum.analyses._retrieval_labels import joined, label_both, parse_labelers
from hilum.analyses._retrieval_near import check_leaks, find_similar
from hilum.analyses._retrieval_values import measure
from hilum.analyses.retrieval import retrieval_study
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Study
from hilum.core.matrix import LEFT_OUT
from hilum.core.records import Labels, Report, RowStatus
from hilum.core.results import Estimate
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets.phantom import build
from hilum.labelers import ModelLabels, ReportSpans, get_labeler
from hilum.text.sections import select_sections

pytest.importorskip("faiss")
pytest.importorskip("torch")

DATA = Path(__file__).parents[2].parent / "shared/data/covid_notes"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hilum.models.classifier import new_classifier, save_classifier
    from hilum.models.classifier_spec import ClassifierSpec, densenet_architecture

    folder = tmp_path_factory.mktemp("retrieval")
    build(seed=3, n=60, size=64).write(folder / "phantom")
    architecture = densenet_architecture(blocks=(2, 2), growth=4, first=8, bottleneck=2)
    spec = ClassifierSpec(("Edema",), size_px=32, normalisation="none", channels=1, architecture=architecture)
    save_classifier(folder / "model", new_classifier(spec).eval())
    return folder


def study_of(home: Path, **changes: object) -> RetrievalStudy:
    options: dict[str, object] = {
        "images": str(home / "model"),
        "replicates": 20,
        "k": 2,
        "device": "cpu",
        **changes,
    }
    return RetrievalStudy(
        f"phantom:{home / 'phantom'}@1/2",
        f"phantom:{home / 'phantom'}@2/2",
        "whole report",
        ("rules",),
        **options,
    )  # type: ignore[arg-type]


def quiet(_: str) -> None: ...


def test_the_page_has_both_presets_with_intervals_and_the_change_is_a_difference(home: Path) -> None:
    page = retrieval_study(study_of(home)).page
    rows = page.table("change_average").rows
    assert [row[0] for row in rows] == ["blank-as-class", "blank-excluded"]
    for _, name, alone, longer, change in rows:
        assert name == "rules"
        assert isinstance(alone, Estimate)
        assert isinstance(longer, Estimate)
        assert isinstance(change, Estimate)
        assert change.value == pytest.approx(longer.value - alone.value)
        assert change.low <= change.value <= change.high < 0  # other patients' reports harm
    assert page.table("passed_over").rows[1][3] == 0
    assert {block.name for block in page.blocks()} >= {
        "change",
        "change_blank_excluded",
        "examples",
        "lengths",
    }


@pytest.mark.parametrize("text", [False, True])
def test_neighbours_never_share_patient_study_text_or_image(home: Path, text: bool) -> None:
    study = study_of(home, images=None if text else str(home / "model"), text=text)
    study = replace(study, test=f"phantom:{home / 'phantom'}")  # all of it, the datastore too
    sets = read_sets(study, tell=quiet)
    assert "share" in " ".join(sets.warnings)
    similar = find_similar(study, sets, None, tell=quiet)
    assert check_leaks(similar) == 2 * len(similar.test)
    by_id = {one.id: one for one in similar.stored.studies}
    for one, near in zip(similar.test.studies, similar.nearest, strict=True):
        for other in (by_id[n.id] for n in near.neighbours):
            assert other.id != one.id
            assert other.patient != one.patient
            assert other.report is not None
            assert one.report is not None
            assert other.report.text.split() != one.report.text.split()
    passed = [
        sum(near.passed_over.get(kind, 0) for near in similar.nearest)
        for kind in ("study", "patient", "text")
    ]
    assert all(passed)


def test_a_neighbour_that_leaks_is_never_used(home: Path) -> None:
    study = study_of(home)
    similar = find_similar(study, read_sets(study, tell=quiet), None, tell=quiet)
    same = replace(similar.stored.studies[similar.neighbours(0)[0]], patient=similar.test.studies[0].patient)
    studies = list(similar.stored.studies)
    studies[similar.neighbours(0)[0]] = same
    with pytest.raises(AssertionError, match="own patient's report"):
        check_leaks(replace(similar, stored=replace(similar.stored, studies=tuple(studies))))


def test_the_scores_are_those_of_scikit_learn(home: Path) -> None:
    study = study_of(home)
    sets = read_sets(study, tell=quiet)
    similar = find_similar(study, sets, None, tell=quiet)
    labeled = label_both(study, similar, get_labeler(), name="rules", said="rules", home=None, tell=quiet)
    assert sets.gold is not None
    changes = measure(study, sets.gold, [labeled], similar.test.groups)
    gold = sets.gold.states_NF
    for preset, states in (("blank-as-class", list(State)), ("blank-excluded", list(State)[1:])):
        for number, said in enumerate((labeled.before, labeled.after)):
            for place in range(gold.shape[1]):
                wanted = f1_score(
                    gold[:, place], said.states_NF[:, place], labels=[int(s) for s in states], average="weighted",
                    zero_division=0,
                )  # fmt: skip
                found = changes.by_preset[preset].point_LF[number, place]
                assert found == pytest.approx(wanted) or (np.isnan(found) and not gold[:, place].any())


def test_labels_with_similar_reports_are_those_of_each_report_taken_together(home: Path) -> None:
    study = study_of(home)
    similar = find_similar(study, read_sets(study, tell=quiet), None, tell=quiet)
    rules = get_labeler()
    labeled = label_both(study, similar, rules, name="rules", said="rules", home=None, tell=quiet)
    strength = {State.BLANK: 0, State.NEGATIVE: 1, State.UNCERTAIN: 2, State.POSITIVE: 3}
    for place, one in enumerate(similar.test.studies):
        assert one.report is not None
        parts = [ReportSpans(one.report.text, select_sections(one.report.text, "both"))]
        parts += [ReportSpans(similar.stored.studies[k].report.text) for k in similar.neighbours(place)]  # type: ignore[union-attr]
        alone = rules.label_batch(parts)
        for f, finding in enumerate(CHEXPERT14.findings):
            if finding.role != "none":
                wanted = max((one.states[f] for one in alone), key=lambda s: strength[s])
                assert labeled.after.states_NF[place, f] == wanted, finding.name


def invented(name: str, text: str) -> Study:
    return Study(name, f"p{name}", report=Report(name, text))


def test_nothing_is_cut_and_no_heading_of_an_appended_report_counts() -> None:
    test = invented("a", "INDICATION: cough\nFINDINGS: Clear lungs.\n\n")
    others = [invented("b", "IMPRESSION: Edema.\n"), invented("c", "FINDINGS: Fracture.")]
    sections = select_sections("INDICATION: cough\nFINDINGS: Clear lungs.\n\n", "findings")
    spans = joined(test, others, sections=sections, marker=MARKER, append="all")
    assert spans.text == (
        "INDICATION: cough\nFINDINGS: Clear lungs.\n\nSimilar report 1:\nIMPRESSION: Edema.\n\n"
        "Similar report 2:\nFINDINGS: Fracture."
    )
    read = [(one.name, spans.text[one.start : one.end]) for one in spans.sections]
    assert read[0] == ("findings", "Clear lungs.")
    assert read[1:] == [
        ("similar report", "Similar report 1:\nIMPRESSION: Edema."),
        ("similar report", "Similar report 2:\nFINDINGS: Fracture."),
    ]
    bare = joined(test, others[:1], sections=sections, marker="", append="impression")
    assert bare.text.endswith("Clear lungs.\n\nEdema.")


def test_the_marker_gets_no_label_of_its_own(home: Path) -> None:
    rules = get_labeler()
    studies = list(build(seed=5, n=30, draw=False).studies())
    for one, other in pairwise(studies):
        assert one.report is not None
        sections = select_sections(one.report.text, "both")
        with_and_without = [
            joined(one, [other], sections=sections, marker=marker, append="all") for marker in (MARKER, "")
        ]
        first, second = rules.label_batch(with_and_without)
        assert first.states == second.states


@dataclass
class Moody:
    """Says positive for all, and nothing for reports with a certain word."""

    name = "moody"
    vocabulary = CHEXPERT14
    stamp = {"labeler": "moody"}  # noqa: RUF012
    asked: int = 0

    def label_batch(self, reports: Sequence[ReportSpans]) -> list[Labels]:
        self.asked += len(reports)
        blank = (State.BLANK,) * 14
        return [
            ModelLabels(CHEXPERT14, blank, status=RowStatus.FAILED, problem="no answer")
            if "effusion" in one.text.split("\n\n")[0].lower()
            else ModelLabels(CHEXPERT14, (State.POSITIVE,) * 14, windows=2)
            for one in reports
        ]


def test_a_report_without_an_answer_is_left_out_before_and_after_and_asked_again(
    home: Path, tmp_path: Path
) -> None:
    study = study_of(home)
    similar = find_similar(study, read_sets(study, tell=quiet), tmp_path, tell=quiet)
    labeled = label_both(study, similar, Moody(), name="moody", said="moody", home=tmp_path, tell=quiet)
    out = (labeled.before.states_NF == LEFT_OUT).all(axis=1)
    assert 0 < out.sum() == len(labeled.left_out) < len(out)
    assert (out == (labeled.after.states_NF == LEFT_OUT).any(axis=1)).all()
    assert all(line.endswith("no answer") for line in labeled.left_out)
    assert len(labeled.read[0].words) == (~out).sum()
    again = Moody()
    second = label_both(study, similar, again, name="moody", said="moody", home=tmp_path, tell=quiet)
    assert 0 < again.asked < 2 * len(out)
    assert (second.after.states_NF == labeled.after.states_NF).all()


def test_a_stopped_run_goes_on_without_embedding_or_labeling_twice(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hilum.models import image_embedding

    whole = retrieval_study(study_of(home), tmp_path / "whole").page
    told: list[str] = []

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(labels_of, "_label", stop)
    with pytest.raises(KeyboardInterrupt):
        retrieval_study(study_of(home), tmp_path / "stopped")
    monkeypatch.undo()
    monkeypatch.setattr(image_embedding, "embed_images", stop)
    resumed = retrieval_study(study_of(home), tmp_path / "stopped", tell=told.append).page
    assert any("0 images to embed" in line for line in told)
    assert resumed.table("change_average") == whole.table("change_average")
    for part in (tmp_path / "stopped" / "kept").glob("vectors-*/*.npz"):
        part.write_bytes(b"broken")
    monkeypatch.undo()
    mended = retrieval_study(study_of(home), tmp_path / "stopped").page
    assert mended.table("change_average") == whole.table("change_average")


def test_damaged_images_are_listed_and_cost_no_other(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "phantom", tmp_path / "phantom")
    images = sorted((tmp_path / "phantom").rglob("*.png"))
    pictures = [one for one in images if one.parent.name == "images" and "lateral" not in one.name]
    for one in pictures[:4]:
        one.write_bytes(b"\x89PNG broken")
    study = replace(
        study_of(home),
        test=f"phantom:{tmp_path / 'phantom'}@1/2",
        datastore=f"phantom:{tmp_path / 'phantom'}@2/2",
    )
    page = retrieval_study(study).page
    assert len(page.table("damaged_images").rows) == 4
    assert "PNG" in str(page.table("damaged_images").rows[0][1])
    for one in pictures:
        one.write_bytes(b"\x89PNG broken")
    with pytest.raises(InputError, match=r"none of its [0-9]+ images can be used"):
        retrieval_study(study)


def test_bad_input_is_told(home: Path, tmp_path: Path) -> None:
    study = study_of(home)
    with pytest.raises(InputError, match="are the same set"):
        retrieval_study(replace(study, datastore=study.test))
    with pytest.raises(InputError, match="400 similar reports were asked for, and the datastore has"):
        retrieval_study(replace(study, k=400))
    with pytest.raises(InputError, match="neither hilum_classifier"):
        retrieval_study(replace(study, images=str(home)))
    with pytest.raises(InputError, match="labels of 'nobody'"):
        retrieval_study(replace(study, gold="nobody"))
    with pytest.raises(InputError, match="no such file"):
        retrieval_study(replace(study, gold="gold.csv"))
    with pytest.raises(UnknownNameError, match="labeler 'rulez'"):
        retrieval_study(replace(study, labelers=("rulez",)))
    with pytest.raises(InputError, match="by neither images nor text"):
        replace(study, images=None)
    with pytest.raises(UnknownNameError, match="section choice"):
        replace(study, append="some")
    (tmp_path / "gold.csv").write_text("id,Edema\nother,1\n")
    with pytest.raises(InputError, match="none of its 1 keys"):
        retrieval_study(replace(study, gold=tmp_path / "gold.csv"))


def test_a_label_file_is_joined_by_study_id(home: Path, tmp_path: Path) -> None:
    study = study_of(home)
    ids = read_sets(study, tell=quiet).test.ids
    rows = "".join(f"{name},{i % 2},{'' if i % 3 else -1}\n" for i, name in enumerate(reversed(ids[2:])))
    (tmp_path / "gold.csv").write_text(f"id,Edema,Fracture\n{rows}other,1,1\n")
    sets = read_sets(replace(study, gold=tmp_path / "gold.csv"), tell=quiet)
    assert sets.gold is not None
    assert sets.gold.ids == sets.test.ids == ids[2:]
    assert any("2 studies" in line for line in sets.told)
    page = retrieval_study(replace(study, gold=tmp_path / "gold.csv")).page
    assert [row[0] for row in page.table("change_blank_as_class").rows] == ["Edema", "Fracture", "Average"]


def test_labelers_take_options_in_either_way_of_writing() -> None:
    said = [
        "rules",
        "llm,model=/a b/c,batch-size=4",
        "mini device=cpu abstain_below=0.5",
        "rules,convention=chexpert",
    ]
    found = parse_labelers(said)
    assert [one[0] for one in found] == ["rules", "llm", "mini", "rules,convention=chexpert"]
    assert found[1][1:] == ("llm", {"model": "/a b/c", "batch_size": 4})
    assert found[2][2] == {"device": "cpu", "abstain_below": 0.5}
    with pytest.raises(InputError, match="given twice"):
        parse_labelers(["rules", "rules"])


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here")
def test_real_notes_are_never_given_their_own_patient(home: Path) -> None:
    study = RetrievalStudy(f"covid_notes:{DATA}", f"covid_notes:{DATA}@2/2", "labeler", ("rules",), text=True)
    similar = find_similar(study, read_sets(study, tell=quiet), None, tell=quiet)
    assert check_leaks(similar) == 3 * len(similar.test) > 700
    assert sum(near.passed_over.get("patient", 0) for near in similar.nearest) > 100
