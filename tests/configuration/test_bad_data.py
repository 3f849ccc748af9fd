"""Data, protocol and networks that do not fit each other are refused in one line."""

import pytest

from tests.configuration.mistakes import ONE_CLASS, TINY, check_line, check_whole

pytestmark = pytest.mark.usefixtures("no_pictures")


ROWS = ("dataset=arrays", "protocol=novelty", "dataset.path={data}/rows.npz")
FEW = ("dataset.path={data}/few.npz",)
IMAGES = ("dataset=image_folder", "protocol=novelty", "dataset.root={data}/images", "dataset.size=8", "budget.batch=8")


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (["protocol.abnormal_class=cat"], ["abnormal_class=cat", "no such class", "0, 1, 2", "all"]),
        (
            ["protocol.abnormal_class=10"],
            ["omasgan: protocol.abnormal_class=10: no such class; allowed are 0, 1", "a number is a name here"],
        ),
        (["protocol=occ", "protocol.normal_class=-1"], ["normal_class=-1", "no such class"]),
        (["protocol.abnormal_class=[1,cat]"], ["abnormal_class=cat", "no such class"]),
        (["protocol.abnormal_class=[]"], ["abnormal_class is an empty list"]),
        (["protocol.abnormal_class=1.5"], ["abnormal_class is 1.5: a whole number or text or a list is expected"]),
        (["dataset=toy_blobs", "protocol.abnormal_class=1"], ["give the name: middle"]),
        (
            ["dataset=arrays", "dataset.path={data}/gap.npz", ONE_CLASS[:-1] + "0"],
            ["no training samples", "class 1, 2"],
        ),
        (["dataset=arrays", "dataset.path={data}/gap.npz", "protocol=occ", "protocol.normal_class=2"], ["class 2"]),
        ([*ROWS, "architecture=dcgan"], ["architecture=dcgan is for images", "rows of 3", "use architecture=mlp"]),
        ([*ROWS, "architecture=resnet"], ["architecture=resnet is for images", "use architecture=mlp"]),
        ([*ROWS, "representation=autoencoder"], ["dcgan is for images", "rows of 3", "representation=pixels"]),
        ([*ROWS, "representation=[visual_words,pca]"], ["visual words are for images", "representation=pixels"]),
        ([*ROWS, "representation=contrastive"], ["contrastive embeddings are for images", "representation=pixels"]),
        ([*ROWS, "representation=rotation_prediction"], ["rotations are for images", "representation=pixels"]),
        ([*ROWS, *FEW, "architecture=mlp"], ["10 normal training samples", "more than 10", "j_features=sample"]),
        (
            ["representation=[pixels,pca]", ONE_CLASS],
            ["representation=pixels gives no rows", "use it alone"],
        ),
        ([*ROWS, "augmentation=flip"], ["for images, the data are rows", "use augmentation=none"]),
        ([*ROWS, "augmentation=flip_colour"], ["use augmentation=none"]),
        ([*IMAGES, "architecture=dcgan", "dataset.size=9"], ["9 x 9", "8, 16", "dataset.size"]),
        ([*ROWS, "divergence=kl_wasserstein", "divergence.tau=0"], ["divergence.tau is 0", "above 0"]),
        (["dataset=toy_blobs", "protocol=novelty", "dataset.noise=-1"], ["noise=-1", "above 0"]),
        (
            ["protocol=cross_dataset", "dataset@abnormal_dataset=toy_blobs"],
            [r"\(1, 8, 8\)", r"\(2,\)", "alike"],
        ),
        ([*ROWS, "dataset.path={data}/nowhere.npz"], ["nowhere.npz is not a file"]),
        ([*ROWS, "dataset.path={data}"], ["is not a file"]),
        ([*ROWS, "dataset.path={data}/cut.npz"], ["cut.npz can't be read", "damaged", "numpy.save"]),
        ([*ROWS, "dataset.path={data}/empty.npz"], ["empty.npz can't be read"]),
        ([*ROWS, "dataset.path={data}/pickle.npy"], ["pickle.npy", "pickled objects, which are never loaded"]),
        (
            [*ROWS, "dataset.path={data}/more.npy", "dataset.test_path={data}/wide.npy"],
            [r"\(3,\)", r"\(4,\)", "same shape"],
        ),
        ([*IMAGES, "dataset.root={data}/nowhere"], ["nowhere is not a folder"]),
        ([*IMAGES, "dataset.root={data}/nothing"], ["holds no images", ".png"]),
        ([*IMAGES, "dataset.root={data}/damaged"], ["07.png can't be read as an image", "replace or remove it"]),
        ([*IMAGES, "dataset.size=0"], ["size=0", "at least 1"]),
        (["dataset=mnist", "data={data}", ONE_CLASS], ["train-images-idx3-ubyte is not an IDX file", "replace it"]),
        ([*ROWS, "device=cuda:99"], ["device is 'cuda:99'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "device=gpu"], ["device is 'gpu'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "device=meta"], ["device is 'meta'", "use auto, cpu or cuda:N"]),
        ([*ROWS, "optimisation.lr_generator=1e30"], ["diverged at step", "lower optimisation.lr_generator"]),
        ([*ROWS, "boundary.Q=1000000000000"], ["out of memory", "boundary.Q"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_fit(command, runs, data, arguments, fragments):
    outcome = command(*TINY, f"runs={runs}", *(argument.format(data=data) for argument in arguments))
    check_line(outcome, *fragments)
    check_whole(runs)
    for folder in runs.rglob("run.json"):
        assert (folder.parent / "failed.json").is_file()
