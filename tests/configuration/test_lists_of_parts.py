"""`representation` is a list of parts, each with settings of its own."""

import pytest

from omasgan.configuration import identity
from omasgan.configuration.checks import check
from omasgan.configuration.identity import identity_of, option_names
from omasgan.errors import UserError


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("representation=pixels", ["pixels"]),
        ("representation=[pca]", ["pca"]),
        ("representation=[visual_words,pca]", ["visual_words", "pca"]),
        ("representation=[pca,visual_words]", ["pca", "visual_words"]),
        ("seed=0", ["contrastive", "autoencoder"]),
    ],
)
def test_the_parts_reach_every_detector_in_their_order(composed, override, parts):
    config = check(composed(override))
    for node in (config, config["detector"], config["baselines"]["nearest_embedding"]):
        assert list(node["representation"]) == parts


def test_a_setting_of_a_part_reaches_every_detector(composed):
    config = check(composed("representation=[visual_words,pca]", "representation.pca.components=7"))
    for node in (config, config["detector"], config["baselines"]["nearest_embedding"]):
        assert node["representation"]["pca"]["components"] == 7
        assert node["representation"]["visual_words"]["components"] == 128


def test_the_parts_and_their_order_are_part_of_the_identity(composed):
    lists = ["visual_words,pca", "pca,visual_words", "visual_words", "pca", "visual_words,pca,rotation_prediction"]
    identities = {parts: identity_of(composed(f"representation=[{parts}]")) for parts in lists}
    assert len(set(identities.values())) == len(lists)
    assert identity_of(composed("representation=pca")) == identities["pca"], "a list of one part is that part"
    changed = composed("representation=[visual_words,pca]", "representation.pca.components=7")
    assert identity_of(changed) not in identities.values()


def test_settings_of_a_part_that_is_not_chosen_change_nothing(composed):
    chosen = ("experiment=quickstart", "representation=[contrastive,autoencoder]")
    plain, changed = composed(*chosen), composed(*chosen, "representation.pca.components=7")
    assert check(plain) == check(changed)
    assert list(check(plain)["representation"]) == ["contrastive", "autoencoder"]
    assert identity_of(plain) == identity_of(changed)


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("representation=[visual_words,pca]", "visual_words+pca"),
        ("representation=pca", "pca"),
        ("experiment=quickstart", "pca"),
        ("seed=0", "contrastive+autoencoder"),
    ],
)
def test_a_runs_record_names_the_parts(composed, override, name):
    cfg = composed(override, hydra=True)
    assert option_names(cfg, cfg.hydra.runtime.choices)["representation"] == name


def test_a_list_of_no_part_is_refused(composed):
    with pytest.raises(
        UserError, match=r"representation has no part: choose one .* representation=\[visual_words,pca\]"
    ):
        check(composed("representation=[]"))


@pytest.mark.parametrize("detector", ["omasgan", "fgan", "nearest_embedding"])
def test_a_part_that_is_no_part_is_named_where_it_was_set(composed, detector):
    with pytest.raises(UserError, match=r"^representation\.more is 3: settings with a _target_ are expected"):
        check(composed(f"detector={detector}", "+representation.more=3"))
    with pytest.raises(UserError, match=r"^there is no setting 'representation\.pca\.side'"):
        check(composed(f"detector={detector}", "representation=pca", "+representation.pca.side=3"))


def test_a_folder_is_judged_by_its_pixels_where_no_pretrained_network_is_installed(monkeypatch):
    monkeypatch.setattr(identity, "find_spec", lambda name: None)
    assert identity.installed_patches() == "pixel_patches"
    monkeypatch.setattr(identity, "find_spec", lambda name: name)
    assert identity.installed_patches() == "pretrained_patches"
