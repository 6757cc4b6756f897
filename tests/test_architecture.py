"""The house keeps its shape: one direction of imports, small modules, telling names, thin tasks (DESIGN, "The house").

Reads source only, so it runs without Django: `make check` runs it too.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A module may import from what stands after it, never from what stands before it; imports inside functions count.
ORDER = [
    "operations",
    "tracker",
    "mailing",
    "documents",
    "studio",
    "integrations",
    "billing",
    "accounts",
    "audit",
    "vault",
    "aaperture.lib",
]
COMPOSITION = {"aaperture/settings.py", "aaperture/urls.py", "aaperture/celery.py", "aaperture/wsgi.py", "aaperture/__init__.py"}
OUTSIDE = {"sandbox", "tests", "bench", "scripts", "manage"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "managers", "handlers"}
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_TASK = 400, 45, 10
STRIPE_MODULES = re.compile(r"^billing/")


def modules() -> list[Path]:
    folders = [name.split(".")[0] for name in ORDER]
    return sorted(path for folder in dict.fromkeys(folders) for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> str | None:
    """Which entry of ORDER a dotted module name belongs to."""
    return next((name for name in ORDER if module == name or module.startswith(f"{name}.")), None)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports, wherever in it, relative imports resolved."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in {"import_module", "import_string", "get_model"} and node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_read() -> None:
    assert len(modules()) > 30


def test_imports_go_one_way() -> None:
    wrong = []
    for path in modules():
        floor = floor_of(dotted(path))
        if floor is None:
            continue
        for line, imported in imports_of(path):
            target = floor_of(imported)
            if target and ORDER.index(target) < ORDER.index(floor):
                wrong.append(f"{name_of(path)}:{line} ({floor}) imports {imported} ({target})")
    assert not wrong, "\n".join(wrong)


def test_apps_reach_the_composition_only_through_settings() -> None:
    wrong = []
    for path in modules():
        if name_of(path) in COMPOSITION:
            continue
        for line, imported in imports_of(path):
            if imported.startswith(("aaperture.settings", "aaperture.urls", "aaperture.wsgi")):
                wrong.append(f"{name_of(path)}:{line} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_the_house_holds_nothing_but_what_the_design_names() -> None:
    found = {path.name for path in (ROOT / "aaperture").glob("*.py")}
    assert found <= {Path(name).name for name in COMPOSITION}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= {name.split(".")[0] for name in ORDER} | OUTSIDE


def test_nothing_in_the_product_imports_the_sandbox_or_the_tests() -> None:
    wrong = []
    for path in modules():
        for line, imported in imports_of(path):
            if imported.split(".")[0] in {"sandbox", "tests", "bench"}:
                wrong.append(f"{name_of(path)}:{line} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_the_sandbox_knows_nothing_of_the_product() -> None:
    """It stands for Google: sharing code with the product would make both wrong alike."""
    wrong = []
    for path in sorted((ROOT / "sandbox").rglob("*.py")):
        for line, imported in imports_of(path):
            if floor_of(imported):
                wrong.append(f"{name_of(path)}:{line} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_production_never_loads_the_embedded_servers() -> None:
    """Only inside a branch or a function: their packages are not installed there."""
    for name in ("aaperture/settings.py", "manage.py"):
        for node in ast.parse((ROOT / name).read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "embedded" not in ast.unparse(node), f"{name}:{node.lineno}"


def test_lib_is_a_leaf_without_models() -> None:
    for path in sorted((ROOT / "aaperture/lib").rglob("*.py")):
        source = path.read_text()
        assert not re.search(r"\(models\.Model\)|get_user_model|apps\.get_model", source), name_of(path)


def test_the_classifier_is_pure() -> None:
    """Headers and text in, label and reasons out: no Django, no database, no network."""
    wrong = []
    for path in sorted((ROOT / "tracker/classify").rglob("*.py")):
        for line, imported in imports_of(path):
            if imported.split(".")[0] in {"django", "requests", "psycopg", "redis", "celery", "socket", "googleapiclient"}:
                wrong.append(f"{name_of(path)}:{line} imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_only_billing_speaks_to_stripe() -> None:
    wrong = [
        f"{name_of(path)}:{line}"
        for path in modules()
        if not STRIPE_MODULES.match(name_of(path))
        for line, imported in imports_of(path)
        if imported.split(".")[0] == "stripe"
    ]
    assert not wrong


def test_services_do_not_know_tasks() -> None:
    """Work waits in tables; a view may nudge, a service may not."""
    wrong = []
    for path in modules():
        if path.stem == "services" or "services" in path.relative_to(ROOT).parts:
            wrong += [f"{name_of(path)}:{line}" for line, imported in imports_of(path) if re.search(r"\.tasks(\.|$)", imported)]
    assert not wrong


def test_modules_stay_small() -> None:
    written = [path for path in modules() if path.parent.name != "migrations"]  # a first migration is generated, one field a line
    long = {name_of(path): count for path in written if (count := len(path.read_text().splitlines())) > LONGEST_MODULE}
    assert not long


def test_functions_stay_small() -> None:
    long = {}
    for path in modules():
        if "migrations" in path.parts:
            continue
        for function in functions_of(path):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > LONGEST_FUNCTION:
                long[f"{name_of(path)}:{function.name}"] = length
    assert not long


def test_modules_have_telling_names() -> None:
    assert not [name_of(path) for path in modules() if path.stem in FORBIDDEN_NAMES]


def tasks() -> list[tuple[str, ast.FunctionDef]]:
    found = []
    for path in modules():
        for function in functions_of(path):
            decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
            if isinstance(function, ast.FunctionDef) and any("shared_task" in text or ".task" in text for text in decorators):
                found.append((f"{name_of(path)}:{function.name}", function))
    return found


@pytest.mark.parametrize(("name", "task"), tasks(), ids=lambda value: value if isinstance(value, str) else "")
def test_tasks_are_thin_and_take_ids(name: str, task: ast.FunctionDef) -> None:
    """A broker is no place for content: an argument is an id, and what to do with it stands in a service."""
    for argument in [*task.args.args, *task.args.kwonlyargs]:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        assert argument.arg == "self" or re.search(r"(^|_)(id|pk|ids|pks)$", argument.arg), f"{name} takes {argument.arg}"
        assert argument.arg == "self" or re.fullmatch(r"(str|int|UUID|uuid\.UUID|list\[(str|int)\])", annotation), f"{name}: {annotation}"
    assert (task.end_lineno or 0) - task.lineno + 1 <= LONGEST_TASK, f"{name} is long for a task"


def test_every_model_is_keyed_by_a_uuid() -> None:
    """UUIDv7 made in Python: no id tells how many there are."""
    wrong = []
    for path in modules():
        if path.stem != "models" and path.parent.name != "models":
            continue
        for node in ast.parse(path.read_text()).body:
            bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            if not any(base in {"models.Model", "AbstractBaseUser"} for base in bases):
                continue
            assert isinstance(node, ast.ClassDef)
            body = ast.unparse(node)
            if "abstract = True" not in body and not re.search(r"primary_key=True", body):
                wrong.append(f"{name_of(path)}:{node.name}")
    assert not wrong
