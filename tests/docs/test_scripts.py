"""What the documentation's scripts make of their input."""

import re

import pytest

from omasgan.configuration.reference import groups
from tests.docs.conftest import ROOT


def test_an_equation_becomes_mathml_and_keeps_its_number_apart(docs_script):
    page = r'<p>a</p><div class="arithmatex">\[a &lt; b \tag{3}\]</div><span class="arithmatex">\(u \log u\)</span>'
    rendered = docs_script("equations").rendered(page)
    assert rendered.startswith('<p>a</p><div class="equation" title="a &lt; b"><math')
    assert '<span class="number">(3)</span></div>' in rendered
    assert "arithmatex" not in rendered
    assert "tag" not in rendered
    assert '<mo lspace="0.17em" rspace="0.17em">log</mo>' in rendered
    assert 'display="block"' in rendered
    assert 'display="inline"' in rendered


def test_text_without_an_equation_is_left_alone(docs_script):
    page = "<code>$(find runs)</code> and <p>5 $ or 6 $</p>"
    assert docs_script("equations").rendered(page) == page


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("samples (n, *shape) and f*(t)", r"samples (n, \*shape) and f\*(t)"),
        ("root/<class>/file_1", r"root/&lt;class>/file\_1"),
        ("x[i][j] of `a[i]*b`, __init__", r"x\[i]\[j] of `a[i]*b`, \_\_init\_\_"),
        ("As:\n\n    a * b\n\nc * d", "As:\n\n    a * b\n\nc \\* d"),
    ],
)
def test_a_docstring_is_shown_as_it_is_written(docs_script, text, escaped):
    assert docs_script("plain_docstrings").plain(text) == escaped


def test_parameters_that_share_an_entry_have_their_own_types_and_defaults(docs_script, tmp_path):
    griffe = pytest.importorskip("griffe")
    (tmp_path / "example.py").write_text(
        'def add(x: int, mu: float = 0.1, nu: str = "a") -> None:\n'
        '    """Add *x.\n\n    Parameters\n    ----------\n    x, mu, nu\n        Of f*(t).\n    """\n'
    )
    extensions = griffe.load_extensions(docs_script("plain_docstrings").PlainDocstrings)
    module = griffe.load("example", search_paths=[str(tmp_path)], extensions=extensions, docstring_parser="numpy")
    text, parameters = module["add"].docstring.parsed
    assert text.value == r"Add \*x."
    assert [(item.name, str(item.annotation), item.value) for item in parameters.value] == [
        ("x", "int", None),
        ("mu", "float", "0.1"),
        ("nu", "str", "'a'"),
    ]
    assert {item.description for item in parameters.value} == {r"Of f\*(t)."}


@pytest.mark.parametrize(
    ("link", "source", "uri", "expected"),
    [
        ("[a](../experiments/mnist_loo/README.md#x)", "docs/i.md", "i.md", "[a](experiments/mnist_loo/README.md#x)"),
        (
            "![a](../../experiments/ablation/auroc.png)",
            "docs/h/i.md",
            "h/i.md",
            "![a](../experiments/ablation/auroc.png)",
        ),
        ("[a](quickstart.md)", "docs/index.md", "index.md", "[a](quickstart.md)"),
        ("[a](results.csv)", "experiments/x/README.md", "experiments/x/README.md", None),
        ("[a](../mnist_loo/results.csv)", "experiments/x/README.md", "experiments/x/README.md", "same"),
        ("[a](../mnist_loo/scores.npz)", "experiments/x/README.md", "experiments/x/README.md", "a"),
        ("[a](omasgan/errors.py)", "CONTRIBUTING.md", "CONTRIBUTING.md", "a"),
        ("[a](docs/method.md)", "CONTRIBUTING.md", "CONTRIBUTING.md", "[a](method.md)"),
        ("[a](https://keepachangelog.com)", "CHANGELOG.md", "CHANGELOG.md", "same"),
        ("[a](#b)", "CHANGELOG.md", "CHANGELOG.md", "same"),
    ],
)
def test_a_link_of_the_repository_is_right_in_the_site(docs_script, link, source, uri, expected):
    hooks = docs_script("hooks")
    found = hooks.LINK.fullmatch(link)
    if expected is None:
        with pytest.raises(hooks.PluginError, match="there is no experiments/x/results"):
            hooks.relinked(found, source, uri)
    else:
        assert hooks.relinked(found, source, uri) == (link if expected == "same" else expected)


def test_links_in_code_are_left_alone(docs_script):
    class Page:
        class file:  # noqa: N801
            src_uri = "CONTRIBUTING.md"
            generated_by = "hooks"

    text = "`x`\n\n```python\na = [x](nowhere.md)\n```\n\n    [x](nowhere.md)\n"
    assert docs_script("hooks").on_page_markdown(text, Page, None, None) == text


def test_every_group_option_and_setting_has_its_place(docs_script):
    configuration = docs_script("configuration")
    pages = configuration.pages()
    for group in groups():
        page = pages[configuration.place(group.name)]
        assert f"| [`{group.name}`]" in pages["configuration/index.md"]
        for option in group.options:
            assert re.search(rf"^\| `{option.name}` \|", page, re.MULTILINE), (group.name, option.name)
            if option.package != "_global_":
                for key in option.settings.keys() - {"_target_", "_partial_"}:
                    assert re.search(rf"^### `{option.package}.{key}`", page, re.MULTILINE), (group.name, key)


def test_a_setting_is_shown_with_its_range_default_and_options(docs_script):
    page = docs_script("configuration").pages()["configuration/boundary.md"]
    assert "### `boundary.mu`\n\na number, at least 0; default: `0.02`\n" in page
    assert "| `mu` | 0.02 | 0.2 |" in page
    assert "`trained`" not in page.partition("## Values by option")[2], "no options differ in it"


def test_every_study_is_listed(docs_script):
    hooks = docs_script("hooks")
    studies = sorted(path.parent for path in ROOT.glob("experiments/*/README.md"))
    index = hooks.studies_index(studies)
    assert len(studies) >= 10
    assert all(f"]({study.name}/README.md)" in index for study in studies)
