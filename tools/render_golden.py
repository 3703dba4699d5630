"""Write the golden pairs anew from what callers ask and providers answer (tests/golden); read the difference before it is committed."""

from tests.unit.dialects.golden import FOLDER, PAIRS, dump, render


def main() -> None:
    """Write a file for each pair of dialects."""
    for client, upstream in PAIRS:
        path = FOLDER / "pairs" / f"{client}.{upstream}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(dump(render(client, upstream)), encoding="utf-8")


if __name__ == "__main__":
    main()
