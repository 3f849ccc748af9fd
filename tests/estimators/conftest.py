from tests.pipeline.conftest import start  # noqa: F401  a fixture
