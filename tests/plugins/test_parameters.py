import pytest

from slicebench.errors import ConfigError
from slicebench.plugins.parameters import assignment, kind_of, parse_settings, read_value


class Plugin:
    def __init__(
        self, *, n: int = 1, rate: "float | None" = None, name: str = "x", on: bool = False, many=(1, 2), bare=2.0
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n", " 3 ", 3),
        ("rate", "1e-3", 0.001),
        ("name", "a b", "a b"),
        ("on", "true", True),
        ("many", "[3, 4]", [3, 4]),
        ("many", "word", "word"),
        ("bare", "3", 3.0),
    ],
)
def test_values_are_read_in_the_parameter_s_own_type(name, text, value):
    found = read_value(Plugin, "plugin", name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n", "1.5", "plugin: n is '1.5'; expected a whole number"),
        ("rate", "much", "plugin: rate is 'much'; expected a number"),
        ("on", "1", "plugin: on is '1'; expected true or false"),
        ("rates", "1", "plugin has no parameter 'rates'; did you mean 'rate'"),
    ],
)
def test_what_cannot_be_read_is_said(name, text, message):
    with pytest.raises(ConfigError, match=message):
        read_value(Plugin, "plugin", name, text)


def test_kinds():
    assert kind_of(Plugin, "plugin", "rate") is float
    assert kind_of(Plugin, "plugin", "bare") is float
    assert kind_of(Plugin, "plugin", "many") is None


@pytest.mark.parametrize("text", ["", "a", "a=", "=1", " = "])
def test_an_assignment_has_two_sides(text):
    with pytest.raises(ConfigError, match=r"--set .*: expected name=value"):
        assignment("--set", text)
    assert assignment("--set", " a = b=c ") == ("a", "b=c")


def test_settings_are_parsed_one_by_one_and_name_themselves_in_errors():
    found = parse_settings(["a.b.c = 1=2", "n=3", "n=4", "nothing"])
    assert [(one.plugin, one.name, one.key, one.text) for one in (next(found), next(found))] == [
        ("a", "b.c", "a.b.c", "1=2"),
        ("n", "", "n", "3"),
    ]
    assert str(next(found).refused("no")) == "--set n=4: no"
    with pytest.raises(ConfigError, match="--set nothing: expected name=value"):
        next(found)
    with pytest.raises(ConfigError, match="--set n=4: 'n' is set twice"):
        list(parse_settings(["n=3", "n=4"], once=True))
