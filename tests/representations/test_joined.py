"""Lists of parts: the embedding is the concatenation of the parts' embeddings."""

import pytest
import torch

from omasgan.data.dataset import Spec
from omasgan.errors import UserError
from omasgan.representations.joined import Joined
from omasgan.training.stage import Workspace
from tests.representations.building import IMAGE, ROWS, images, representation


@pytest.mark.parametrize(
    ("parts", "decoder"),
    [
        (("contrastive", "autoencoder"), 1),
        (("visual_words", "pca"), 1),
        (("autoencoder", "pca"), 0),
        (("visual_words", "rotation_prediction", "pca"), 2),
    ],
    ids=str,
)
def test_the_embedding_is_that_of_each_part_in_turn_and_the_first_part_that_can_decodes_it(parts, decoder):
    x = images(64)
    joined, *alone = (representation(*chosen) for chosen in (parts, *((part,) for part in parts)))
    for learned in (joined, *alone):
        learned.fit(x)
    embeddings = joined.encode(x)
    assert torch.equal(embeddings, torch.cat([part.encode(x) for part in alone], dim=1))
    assert embeddings.shape == (64, *joined.embedding.shape)
    own = alone[decoder].encode(x)
    assert torch.equal(joined.decode(embeddings), alone[decoder].decode(own))
    assert all(part.decode(part.encode(x)) is None for part in alone[:decoder])


def test_where_no_part_can_decode_there_is_no_way_back():
    x = images(64)
    joined = representation("contrastive", "visual_words")
    joined.fit(x)
    assert joined.decode(joined.encode(x)) is None


@pytest.mark.parametrize(
    ("parts", "auxiliary"),
    [
        (("rotation_prediction",), (0, 1, 2, 3)),
        (("visual_words", "pca"), ()),
        (("visual_words", "pca", "rotation_prediction"), (36, 37, 38, 39)),
        (("rotation_prediction", "pca"), (0, 1, 2, 3)),
        (("pca", "rotation_prediction", "visual_words"), (24, 25, 26, 27)),
    ],
    ids=str,
)
def test_the_auxiliary_columns_are_where_their_part_is(parts, auxiliary):
    assert representation(*parts).embedding.auxiliary == auxiliary


def test_rows_in_pixels_can_be_joined_with_others():
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    joined = representation("pixels", "pca", spec=ROWS, overrides=["representation.pca.components=3"])
    joined.fit(x)
    embeddings = joined.encode(x)
    assert embeddings.shape == (64, 8)
    assert torch.equal(embeddings[:, :5], x)
    assert torch.equal(joined.decode(embeddings), x)


@pytest.mark.parametrize("parts", [("pixels", "pca"), ("pca", "pixels")], ids="+".join)
def test_images_in_pixels_cannot_be_joined_with_others(parts):
    with pytest.raises(UserError, match=r"representation=pixels gives no rows.*use it alone"):
        representation(*parts)


def test_no_part_is_refused():
    with pytest.raises(UserError, match=r"no part: choose one or several, such as representation=\[visual_words,pca\]"):
        Joined(IMAGE, Workspace(), {})


def test_each_part_is_saved_under_its_name():
    x = images(64)
    joined = representation("visual_words", "pca")
    joined.fit(x)
    state = joined.state_dict()
    assert list(state) == ["visual_words", "pca"]
    alone = representation("pca")
    alone.load_state_dict({"pca": state["pca"]})
    assert torch.equal(alone.encode(x), joined.encode(x)[:, 12:])


def test_the_embedding_of_one_part_is_its_own():
    assert representation("pixels").embedding == IMAGE
    assert representation("pca").embedding == Spec((24,))
