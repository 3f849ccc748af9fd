"""What loggers call a sweep and its jobs."""

from omasgan.configuration.sweep_names import SWEEP_NAME, in_sweep

CHOICES = {"dataset": "mnist", "protocol": "loo"}


def name(*overrides, varied=("boundary.mu",), **given):
    return in_sweep(overrides, varied, CHOICES, **given).name


def test_a_sweep_keeps_its_name_when_it_is_widened():
    first = name("boundary.mu=0.1", "protocol.abnormal_class=3", "runs=x")
    assert first == "mnist_loo_over_mu"
    assert name("boundary.mu=7", "protocol.abnormal_class=1", "seed=4", varied=("boundary.mu", "seed")) == first
    assert name("boundary.mu=7", 'sweep.varied=["boundary.mu"]', "logger=none") == first


def test_what_a_sweep_fixes_tells_it_from_others_that_vary_the_same():
    names = [name("boundary.mu=1", *fixed) for fixed in ([], ["boundary.nu=1"], ["boundary.nu=2"], ["budget=smoke"])]
    assert len(set(names)) == len(names)
    assert all(each.startswith("mnist_loo_over_mu") for each in names)


def test_a_sweep_over_classes_or_data_sets_says_so():
    assert name("protocol.abnormal_class=3", varied=("protocol.abnormal_class",)) == "mnist_loo_over_abnormal_class"
    assert name("dataset=mnist", "seed=1", varied=("dataset", "seed")) == "loo_over_dataset"
    assert name("boundary.nu=1", varied=()).startswith("mnist_loo_over_nothing-")


def test_a_sweep_has_the_name_of_its_definition():
    named = in_sweep(("sweep=search", "boundary.mu=1"), ("boundary.mu",), {**CHOICES, "sweep": "search"})
    assert named.name == "mnist_loo_search_over_mu"


def test_a_sweep_of_wandbs_has_its_id():
    assert name("boundary.mu=1", "budget=smoke", sweep_id="ab12") == "mnist_loo_over_mu-ab12"


def test_a_long_name_is_cut_and_stays_the_sweeps_own():
    long = [f"boundary.key_{number}=1" for number in range(40)]
    names = [name(*long, varied=None), name(*long[:-1], varied=None), name(*long, "seed=1", "lr=2", varied=None)]
    assert max(map(len, names)) <= SWEEP_NAME
    assert len(set(names)) == 3


def test_a_job_is_called_by_what_differs():
    overrides = ("boundary.mu=0.1", "inference.lambda_=2.0", "seed=3", "budget=smoke", "+detector@baselines.x=pca")

    def differs(*varied):
        return in_sweep(overrides, varied, CHOICES).differs

    assert differs("boundary.mu", "inference.lambda_", "seed") == "mu=0.1 lambda=2.0"
    assert differs("detector@baselines.x") == "x=pca"
    assert differs("seed") == ""
    assert in_sweep(["boundary.mu=0.0123456789", "boundary.nu=1e-05"], None, CHOICES).differs == "mu=0.0123457 nu=1e-05"
    both = in_sweep(("a.neighbours=1", "b.neighbours=2"), ("a.neighbours", "b.neighbours"), CHOICES)
    assert both.differs == "a.neighbours=1 b.neighbours=2"
