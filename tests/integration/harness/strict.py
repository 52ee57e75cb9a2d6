"""strict.py - JSON without mercy, and what a MariaDB value must look like in it.

Numbers stay the digits that travelled; a name twice, NaN, white space between tokens
or a lone surrogate is a failure, not a detail.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from pymysql.constants import FIELD_TYPE

BINARY_CHARSET = 63

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

_NUMBERS = {
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.INT24,
    FIELD_TYPE.LONG,
    FIELD_TYPE.LONGLONG,
    FIELD_TYPE.DECIMAL,
    FIELD_TYPE.NEWDECIMAL,
    FIELD_TYPE.FLOAT,
    FIELD_TYPE.DOUBLE,
    FIELD_TYPE.YEAR,
}
_TEXTS = {
    FIELD_TYPE.STRING,
    FIELD_TYPE.VAR_STRING,
    FIELD_TYPE.VARCHAR,
    FIELD_TYPE.BLOB,
    FIELD_TYPE.TINY_BLOB,
    FIELD_TYPE.MEDIUM_BLOB,
    FIELD_TYPE.LONG_BLOB,
}


class Digits(str):
    """A JSON number, exactly as written."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError(f"a name occurs twice: {[name for name, _ in pairs]}")
    return out


def _refuse(what: str) -> Any:
    raise ValueError(f"not JSON: {what}")


def parse(text: bytes, compact: bool = True) -> Any:
    """Strict JSON; numbers come back as Digits.  ValueError says what is wrong."""
    decoded = text.decode("utf-8", "strict")
    value = json.loads(
        decoded,
        parse_int=Digits,
        parse_float=Digits,
        parse_constant=_refuse,
        object_pairs_hook=_no_duplicates,
    )
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    if compact and re.search(r"\s", _STRING.sub('""', decoded)):
        raise ValueError("white space between the tokens")
    return value


def number(digits: str) -> Digits:
    """A number as MariaDB prints it, as JSON must show it: no leading zeros, no plus."""
    sign, rest = ("-", digits[1:]) if digits.startswith("-") else ("", digits.lstrip("+"))
    whole = re.match(r"[0-9]*", rest)
    assert whole is not None
    return Digits(sign + (whole.group().lstrip("0") or "0") + rest[whole.end() :])


def expected(field: Any, value: str | bytes | None, is_json: bool = False) -> Any:
    """What the strict parser must find for 'value', given its column's metadata."""
    if value is None:
        return None
    if is_json:
        text = value.encode() if isinstance(value, str) else value
        return parse(text, compact=False)
    if field.type_code == FIELD_TYPE.BIT:
        assert isinstance(value, bytes)
        return Digits(str(int.from_bytes(value, "big")))
    if field.type_code in _NUMBERS:
        assert isinstance(value, str)
        return number(value)
    if field.type_code == FIELD_TYPE.GEOMETRY or (
        field.type_code in _TEXTS and field.charsetnr == BINARY_CHARSET
    ):
        assert isinstance(value, bytes)
        return base64.b64encode(value).decode("ascii")
    return value if isinstance(value, str) else value.decode("utf-8")


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type: the number 7 is not the string "7"."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def mariadb_objects(
    db: Any, schema: str, table: str, key: str, json_columns: tuple[str, ...] = ()
) -> dict[Any, dict[str, Any]]:
    """Every row of a table as the object that fetchd must send, by its key's text."""
    connection = db.connect(schema, plain=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{table}`")
            fields = cursor._result.fields
            names = [f.name for f in fields]
            out = {}
            for row in cursor.fetchall():
                out[row[names.index(key)]] = {
                    f.name: expected(f, v, f.name in json_columns)
                    for f, v in zip(fields, row)
                }
            return out
    finally:
        connection.close()
